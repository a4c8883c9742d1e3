package main

import (
	"strings"
	"testing"
)

// What is wrong with a command line is said in one line, before anything is done: what is
// wrong, with its value, and what is allowed.
func TestRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	const small = "--device cpu --datasets digits --model mlp "
	for arguments, want := range map[string]string{
		"study --seed 1":            "diaghess study has no flag --seed: did you mean --seeds?; see diaghess study --help",
		"study --fooo":              "diaghess study has no flag --fooo; see diaghess study --help",
		"data fetch --form x":       "diaghess data fetch has no flag --form: did you mean --from?",
		"data fetch mnist --form x": "diaghess data fetch has no flag --form: did you mean --from?",
		"--fooo":                    "diaghess has no flag --fooo",
		"study --epochs":            "--epochs needs a value",
		"stdy":                      `unknown command "stdy": did you mean study?`,
		"data lst":                  `unknown command "lst": did you mean list?`,
		"data list extra":           `unexpected argument "extra"`,
		"devices extra":             `unexpected argument "extra"`,
		"train --seed 1 --seed 2":   "--seed 2: it is given twice, with 1 before: give it once",
		"bench --json --json":       "--json is given twice: give it once",
		"report x --baseline a --png --baseline b": "--baseline b: it is given twice, with a before",
		"study --optimizers @a --optimizers sgd":   "--optimizers sgd: @FILE stands for the whole list",
		"bench --optimizers ,":                     "--optimizers ,: the value is empty",
		"bench --optimizers=":                      `--optimizers "": the value is empty: give one, or leave --optimizers out`,
		"study --out=":                             `--out "": the value is empty`,
		"study --parallel -1":                      "--parallel -1: give a whole number from 0 to 1024",
		"study --threads 1000000":                  "--threads 1000000: give a whole number from 0 to 1024",
		"audit . --seed -1":                        "--seed -1: give a whole number from 0 to 18446744073709551615",
		"audit . --seed 1.5":                       "--seed 1.5: give a whole number from 0 to",
		"audit . --seed abc":                       "--seed abc: give a whole number from 0 to",
		"audit . --seed 18446744073709551616":      "--seed 18446744073709551616: give a whole number from 0 to",
		"study --epochs 1e3":                       "--epochs 1e3: give a whole number, such as 50",
		"study --label-smoothing 0_1":              "--label-smoothing 0_1: give a number",
		"study --optimizers sgd:lr=0x1p-4":         "lr=0x1p-4: must be a number above 0",
		"study --average ema=0x1p-1":               `--average "ema=0x1p-1" is unknown`,
		"study --plan p --margins val_acc=0x1p-4":  `margin "val_acc=0x1p-4": give metric=number`,
		"report x --targets 0x1p-1":                `target "0x1p-1" is not an accuracy`,
		"tune --space lr=0x1p-4..1":                "is not of the form KEY=LOW..HIGH",
		"study --label-smoothing nan":              "--label-smoothing nan: give a number",
		"bench --json=perhaps":                     "--json perhaps: give true or false, or --json alone",
		"gpu-check --time 5":                       "--time 5: a unit is missing: give 5s for seconds",
		"gpu-check --time soon":                    "--time soon: give a time with its unit, such as 5s",
		"gpu-check --time -1s":                     "--time -1s: give a time above 0 and up to 1h",
		"gpu-check --runs 1,x":                     "--runs 1,x: x is not a number of runs",
		"gpu-check --only step":                    `unknown part "step": did you mean steps?`,
		"devices --list --math foo":                `unknown arithmetic "foo" (known: fp32, tf32)`,
		"devices --list --library gonm":            `unknown convolution library "gonm": did you mean gonum?`,
		"bench --device cpu --library gonm":        `unknown convolution library "gonm": did you mean gonum?`,
		"bench --device cud":                       `unknown device "cud": did you mean cuda?`,
		"bench --model mpl":                        `unknown model "mpl": did you mean mlp?`,
		"study --datasets cifar":                   `"cifar" is no dataset and no file: did you mean cifar10?`,
		"study --optimizers admaw":                 `unknown optimizer "admaw": did you mean adamw?`,
		"study --optimizers sgd:lrr=1":             `no key "lrr": did you mean lr?`,
		"curvature --estimators gbn":               `unknown curvature "gbn": did you mean gnb?`,

		"study --seeds 5-2":                                     "--seeds 5-2: the range 5-2 is empty: give the smaller number first, 2-5",
		"study --seeds 1,x":                                     "--seeds 1,x: x is neither a number nor a range",
		"study --seeds 9223372036854775807":                     "9223372036854775807 is too large: a seed is at most 2147483647",
		"study --seeds 0-9223372036854775807":                   "0-9223372036854775807 is too large",
		"study --seeds 99999999999999999999":                    "99999999999999999999 is too large",
		"study --seeds 0-100000":                                "more than 100000 seeds",
		"study --seeds 0-99999 --optimizers adamw,sgd " + small: "200000 runs (datasets: 1, seeds: 100000, optimizers: 2): a study has at most 100000",
		"tune --trials 100000000":                               "100000000 trials: give each optimizer 1 to 10000",
		"tune --trials 9223372036854775807":                     "give each optimizer 1 to 10000",
		"tune --trials 10000 --seeds 1000000-1000099":           "a tuning has at most 100000 runs",
		"bench --repeats 9223372036854775807":                   "--repeats 9223372036854775807: give a whole number from 1 to 100000",
		"bench --batch 9223372036854775807":                     "batches of 9223372036854775807 pictures: give 1 to 65535",
		"study --epochs 9223372036854775807":                    "9223372036854775807 epochs: train for 1 to 100000",
		"study --epochs 99999999999999999999":                   "--epochs 99999999999999999999: the number is too large",
		"study --limit 9223372036854775807 " + small:            "digits has 1437 training pictures under protocol pilot: give at most so many",
		"curvature --estimators gnb:samples=1000000":            "samples=1000000 of the curvature: give 1 to 10000",
		"curvature --reference-draws 1000000":                   "a reference of 1000000 draws: give 2 to 20000",
		"curvature --batches 9223372036854775807":               "give 1 to 50000",
		"curvature --repeats 9223372036854775807":               "give 1 to 100000",
		"curvature --steps 9223372036854775807":                 "give more --epochs",
	} {
		stdout, stderr, err := runApp(t, strings.Fields(arguments)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || stdout+stderr != "" {
			t.Errorf("%s: error %v, want one with %q; printed\n%s%s", arguments, err, want, stdout, stderr)
		}
	}
}

// The values of a list add up, and so do those before and after arguments.
func TestListsAddUp(t *testing.T) {
	stdout, _, err := runApp(t, strings.Fields("bench --device cpu --model mlp --batch 2 --repeats 1 --optimizers adamw --optimizers sgd,adam")...)
	for _, want := range []string{"a step of adamw", "a step of sgd", "a step of adam\n"} {
		if err != nil || !strings.Contains(stdout, want) {
			t.Errorf("no %q, error %v, in\n%s", want, err, stdout)
		}
	}
	out := t.TempDir()
	stdout, _, err = runApp(t, strings.Fields("study --device cpu --datasets digits --model mlp --limit 65 --epochs 1 --seeds 0-1 --seeds 010 --optimizers sgd --optimizers adamw --out "+out)...)
	if err != nil || !strings.Contains(stdout, "n = 3 pairs, seeds 0, 1, 10") {
		t.Errorf("error %v, want 3 pairs of the seeds 0, 1 and 10 in\n%s", err, stdout)
	}
	if _, _, err := runApp(t, "devices", "--list", "--device", "cpu", "--device", "cuda:999"); err != errMissing {
		t.Errorf("devices: %v, want the second one missing", err)
	}
}

// A number with leading zeros is not octal.
func TestWholeNumbersAreDecimal(t *testing.T) {
	_, _, err := runApp(t, "tune", "--trials", "016", "--halving", "017", "--dataset", "digits")
	if err == nil || !strings.Contains(err.Error(), "halving by 17") || !strings.Contains(err.Error(), "trials, 16,") {
		t.Errorf("016 trials, halving by 017: %v", err)
	}
}
