package record

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// inMemory copies a folder.
func inMemory(t *testing.T, folder string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, name))
		files[name] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// edited returns the files with a part of one replaced, or all of it where old is empty; with
// nothing new either it is not there.
func edited(t *testing.T, files fstest.MapFS, name, old, new string) fstest.MapFS {
	t.Helper()
	content := string(files[name].Data)
	if !strings.Contains(content, old) {
		t.Fatalf("no %q in %s:\n%s", old, name, content)
	}
	files = maps.Clone(files)
	if old == "" {
		old = content
	}
	files[name] = &fstest.MapFile{Data: []byte(strings.Replace(content, old, new, 1))}
	if old == content && new == "" {
		delete(files, name)
	}
	return files
}

// wholeStudy is two optimizers from two seeds, of which one run diverged, with all that may
// lie beside the runs.
func wholeStudy(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "study")
	var jobs []Job
	for _, optimizer := range []string{"adamw", "sgd:lr=0.10"} {
		for seed := range 2 {
			config := configOf(optimizer, seed)
			writeRun(t, folder, config)
			jobs = append(jobs, config.Job)
		}
	}
	diverged := configOf("sgd:lr=0.10", 7)
	run := mustClaim(t, RunOf(folder, diverged.Job), diverged)
	if err := run.Finish(Final{Dataset: "digits", Optimizer: "sgd:lr=0.10", Seed: 7, Status: Diverged, Protocol: ProtocolHoldout, Augment: AugmentNone, Endpoint: EndpointLast,
		Build: diverged.Build, DivergedAt: 2, Note: "early"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := run.WriteEpochs(nil); err != nil {
		t.Fatal(err)
	}
	plan := Plan{Schema: Schema, Datasets: []string{"digits"}, Optimizers: []string{"adamw", "sgd"}, Seeds: []int{0, 1},
		Build: Build{"c", "g", "p"}, Settings: leaves(jobs[0].Settings), Metric: DefaultMetric, Test: PlannedTest, Margins: map[string]float64{"val_acc": 0.01}}
	for _, err := range []error{WriteStudy(folder, jobs), plan.Write(filepath.Join(folder, PlanFile)), tunedOf().Write(filepath.Join(folder, TunedFile))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// goWords are Go's own, which no message may have.
var goWords = regexp.MustCompile(`\bGo (value|struct)|unmarshal|invalid character|unexpected end|record\.|map\[|\[\]|0x|%!`)

// Every field of every file must be there, once, under its own name, of its own kind and in
// its range, and must agree with what else says the same.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	whole := inMemory(t, wholeStudy(t))
	if wrong := CheckStudy(whole, "study"); wrong != nil {
		t.Fatalf("a whole study: %v", wrong)
	}
	const run, sgd, end = "digits/adamw/seed-01/", "digits/sgd_lr=0.10/seed-00/", "digits/sgd_lr=0.10/seed-07/"
	for _, c := range []struct{ file, old, new, want string }{
		{run + "final.json", `"val_acc": 0.5,`, ``, "final.json has no field val_acc"},
		{run + "final.json", `"val_acc": 0.5`, `"val_acc": null`, "has val_acc = null: a number of at least 0 and at most 1"},
		{run + "final.json", `"val_acc": 0.5`, `"val_acc": "0.5"`, `has val_acc = "0.5": a number of at least 0 and at most 1`},
		{run + "final.json", `"val_acc": 0.5`, `"VAL_ACC": 0.5`, "has an unknown field VAL_ACC"},
		{run + "final.json", `"val_acc": 0.5`, `"val_acc": 0.5, "val_acc": 0.6`, "has val_acc = 0.6"},
		{run + "final.json", `"val_acc": 0.5`, `"val_acc": 5`, "has val_acc = 5: a number of at least 0 and at most 1"},
		{run + "final.json", `"val_acc": 0.5`, `"val_acc": 0.75`, "has val_acc = 0.75, but by config.json and epochs.jsonl it is 0.5"},
		{run + "final.json", `"f1": 0.75`, `"f1": 1.01`, "has f1 = 1.01"},
		{run + "final.json", `"val_loss": 0.25`, `"val_loss": -1`, "has val_loss = -1: a number of at least 0"},
		{run + "final.json", `"val_loss": 0.25`, `"val_loss": 1e999`, "has val_loss = 1e999"},
		{run + "final.json", `"val_loss": 0.25`, `"val_loss": NaN`, "final.json is damaged: line 15 is not JSON"},
		{run + "final.json", `"train_time": 0.3`, `"train_time": 0.4`, "has train_time = 0.4"},
		{run + "final.json", `"acc": 0.5`, `"acc": 87.5`, "has test.acc = 87.5"},
		{run + "final.json", `"acc": 0.5,`, ``, "has no field test.acc"},
		{run + "final.json", `"acc": 0.5`, `"acc": 0.51`, "has test.acc = 0.51, but by config.json and epochs.jsonl it is 0.5"},
		{run + "final.json", `"test": {`, `"test": null, "x": {`, "final.json has an unknown field x"},
		{run + "final.json", `"status": "finished"`, `"status": "paused"`, `has status = "paused": finished or diverged`},
		{run + "final.json", `"status": "finished"`, `"status": "diverged"`, "has the status diverged, but no field diverged_at with the step"},
		{run + "final.json", `"epochs": 2`, `"epochs": 2.5`, "has epochs = 2.5: a whole number"},
		{run + "final.json", `"seed": 1`, `"seed": 0`, "has seed = 0, but by config.json and epochs.jsonl it is 1"},
		{run + "final.json", `"commit": "c"`, `"commit": "d"`, "has build.commit = d, but by config.json and epochs.jsonl it is c"},
		{run + "final.json", `{`, `[`, "final.json is damaged: "},
		{run + "final.json", ``, `[1]`, "final.json is damaged: it holds no object"},
		{run + "final.json", ``, ` `, "final.json is damaged: it is empty"},
		{run + "final.json", ``, `{"schema":`, "final.json is damaged: it ends in the middle"},
		{run + "final.json", `"schema": 4`, `"schema": -1`, "has schema = -1"},
		{run + "epochs.jsonl", ``, ``, "epochs.jsonl is missing"},
		{run + "epochs.jsonl", `"val_loss":0.25,`, ``, "epochs.jsonl:2 has no field val_loss"},
		{run + "epochs.jsonl", `"val_loss":0.25`, `"val_loss":0.26`, "has val_loss = 0.25, but by config.json and epochs.jsonl it is 0.26"},
		{run + "epochs.jsonl", `"train_acc":0`, `"train_acc":-0.1`, "epochs.jsonl:1 has train_acc = -0.1"},
		{run + "epochs.jsonl", `"seconds":0.1`, `"seconds":-0.1`, "epochs.jsonl:1 has seconds = -0.1"},
		{run + "epochs.jsonl", `"epoch":2`, `"epoch":3`, "epochs.jsonl:2 is damaged: it is of epoch 3"},
		{run + "epochs.jsonl", `"epoch":2`, `"epoch":1`, "epochs.jsonl:2 is damaged: it is of epoch 1"},
		{run + "epochs.jsonl", `{"epoch":1`, `{"epoch":1,"train_loss":1,"train_acc":0,"val_loss":1,"val_acc":0,"f1":0,"seconds":1}` + "\n" + `{"epoch":2`, "epochs.jsonl:3 is damaged"},
		{run + "epochs.jsonl", ``, "\n", "epochs.jsonl:1 is damaged: it is empty"},
		{run + "epochs.jsonl", `"val_acc":0.2`, `"val_acc":0.25`, "epochs.jsonl has val_acc = 0.25 in line 1, which is no whole number of the 10 val_pictures of config.json"},
		{run + "epochs.jsonl", `"train_acc":0`, `"train_acc":0.001`, "epochs.jsonl has train_acc = 0.001 in line 1, which is no whole number of the 200 train_pictures of config.json"},
		{run + "config.json", `"val_pictures": 10`, `"val_pictures": 11`, "epochs.jsonl has val_acc = 0.2 in line 1, which is no whole number of the 11 val_pictures of config.json: the two files do not agree"},
		{run + "config.json", ``, ``, "config.json is missing"},
		{run + "config.json", `"seed": 1`, `"seed": 0`, "config.json is of the run digits/adamw/seed-00, but its folder is digits/adamw/seed-01"},
		{run + "config.json", `"dataset": "digits"`, `"dataset": "mnist"`, "is of the run mnist/adamw/seed-01"},
		{run + "config.json", `"optimizer": "adamw"`, `"optimizer": "adam"`, "is of the run digits/adam/seed-01"},
		{run + "config.json", `"lr": "0.10"`, `"lr": "0.5"`, "seed-01/config.json has lr = 0.5, but by study/digits/adamw/seed-00/config.json it is 0.10"},
		{run + "config.json", `"lr": "0.10",`, ``, "has lr = nothing, but by study/digits/adamw/seed-00/config.json it is 0.10"},
		{sgd + "config.json", `"lr": "0.10"`, `"lr": "0.5"`, "has optimizer_settings.lr = 0.5, but by its other fields it is 0.10"},
		{run + "config.json", `"epochs": 2`, `"epochs": 3`, "epochs.jsonl has epochs = 2, but by config.json it is 3"},
		{run + "config.json", `"batch": 64`, `"batch": 32`, "has steps = 8, but by its other fields it is 14"},
		{run + "config.json", `"batch": 64`, `"batch": 0`, "has batch = 0"},
		{run + "config.json", `"model": "mlp"`, `"model": "resnet20"`, "study.json has model = mlp, but by study/digits/adamw/seed-01/config.json it is resnet20"},
		{run + "config.json", `"recalibrate": 0`, `"recalibrate": 8`, "study.json has recalibrate = 0, but by study/digits/adamw/seed-01/config.json it is 8"},
		{run + "config.json", `"label_smoothing": 0`, `"label_smoothing": 0.1`, "epochs.jsonl has train_loss_clean in line 1: false, but by the label_smoothing of config.json: true"},
		{run + "config.json", `"evaluate_train": false`, `"evaluate_train": true`, "epochs.jsonl has evaluated_train in line 1: false, but by the evaluate_train of config.json: true"},
		{run + "epochs.jsonl", `"seconds":0.1`, `"seconds":0.1,"val_loss_smoothed":1`, "epochs.jsonl has val_loss_smoothed in line 1: true, but by the label_smoothing of config.json: false"},
		{run + "epochs.jsonl", `"seconds":0.1`, `"seconds":0.1,"evaluated_train":{"loss":1,"acc":0.001,"f1":0}`, "epochs.jsonl has evaluated_train.acc = 0.001 in line 1, which is no whole number of the 200 train_pictures"},
		{run + "config.json", `"test_pictures": 10`, `"test_pictures": 0`, "has test.acc = 0.5, but by config.json and epochs.jsonl it is nothing"},
		{run + "config.json", `"model": "mlp"`, `"model": ""`, `has model = "": a text`},
		{run + "config.json", `"lr": "0.10",`, `"lr": null,`, "has optimizer_settings.lr = null: a text is expected"},
		{run + "config.json", `"optimizer_settings": {`, `"optimizer_settings": null, "x": {`, "has optimizer_settings = null: an object {...} is expected"},
		{run + "config.json", `"model"`, `"colour": 1, "model"`, "has an unknown field colour"},
		{run + "config.json", `"protocol": "holdout"`, `"protocol": "x"`, "pilot or holdout or seed is expected"},
		{run + "config.json", `"algorithms": {`, `"algorithms": {"a": {},`, "has algorithms.a = {}: a text is expected"},
		{end + "final.json", `"diverged_at": 2`, `"diverged_at": 9`, "has diverged_at = 9, but by config.json and epochs.jsonl it is 8"},
		{end + "final.json", `"status": "diverged"`, `"status": "finished"`, "epochs.jsonl has epochs = 0, but by config.json it is 2"},
		{"study.json", `"epochs": 2`, `"epochs": 3`, "study.json has epochs = 3, but by study/digits/adamw/seed-00/config.json it is 2"},
		{"study.json", `"jobs": [`, `"jobs": [1,`, "has jobs[0] = 1: an object"},
		{"study.json", ``, `{`, "study.json is damaged"},
		{"plan.json", `"seeds"`, `"seed"`, "plan.json has an unknown field seed"},
		{"plan.json", `"val_acc": 0.01`, `"val_acc": -1`, "plan.json is not a plan: margin -1"},
		{"plan.json", `"metric": "val_acc"`, `"metric": "luck"`, "plan.json is not a plan: unknown metric"},
		{"plan.json", `"metric"`, `"looks": [1], "metric"`, "plan.json is not a plan: the last look is at 1 units"},
		{"plan.json", `"metric"`, `"looks": [9, 2], "metric"`, "plan.json is not a plan: a look at 2 units follows one at 9"},
		{"plan.json", `"metric"`, `"tunings": 3, "tuned": "d", "metric"`, "plan.json is not a plan: 2 seeds cannot be those of 3 tunings"},
		{"plan.json", `"metric"`, `"tunings": 2, "metric"`, "plan.json is not a plan: it has 2 tunings and no digest of their file"},
		{"plan.json", `"metric": "val_acc"`, `"metric": "train_time"`, `plan.json is not a plan: unknown metric "train_time"`},
		{"plan.json", `"val_acc": 0.01`, `"val_acc": 1`, "plan.json is not a plan: margin 1 of val_acc: give a share below 1"},
		{"plan.json", `"sgd"`, `"adamw"`, "plan.json is not a plan: the optimizer adamw is there twice"},
		{"plan.json", `"digits"`, `"digits", "digits"`, "plan.json is not a plan: the data set digits is there twice"},
		{"plan.json", `"seeds": [`, `"seeds": [1,`, "plan.json is not a plan: the seed 1 is there twice"},
		{"plan.json", `"endpoint": "last",`, ``, "plan.json is not a plan: it lacks the setting endpoint"},
		{"plan.json", `"endpoint":`, `"speed": "1", "endpoint":`, `plan.json is not a plan: unknown setting "speed"`},
		{"tuned.json", `"metric"`, `"metrik"`, "tuned.json has no field metric"},
	} {
		t.Run(c.file+" "+c.old+" "+c.new, func(t *testing.T) {
			files := edited(t, whole, c.file, c.old, c.new)
			wrong := CheckStudy(files, "study")
			text := wrong.Error()
			if len(wrong) == 0 || !strings.Contains(filepath.ToSlash(text), c.want) {
				t.Fatalf("want %q, got %q", c.want, text)
			}
			if found := goWords.FindString(text); found != "" {
				t.Errorf("%q in %q", found, text)
			}
			if !strings.HasPrefix(text, "study") || !strings.HasSuffix(text, ".") {
				t.Errorf("%q does not begin with a file and end with what to do", text)
			}
		})
	}
}

// All that is wrong is listed, and what to do about each folder once.
func TestCheckListsAll(t *testing.T) {
	files := inMemory(t, wholeStudy(t))
	files = edited(t, files, "digits/adamw/seed-00/final.json", `"val_acc": 0.5`, `"val_acc": 5`)
	files = edited(t, files, "digits/adamw/seed-00/final.json", `"val_loss": 0.25,`, ``)
	files = edited(t, files, "digits/adamw/seed-01/config.json", ``, `{`)
	files = edited(t, files, StudyFile, ``, `{`)
	wrong := CheckStudy(files, "study")
	text := wrong.Error()
	if len(wrong) != 4 || strings.Count(text, "delete that folder") != 2 || strings.Count(text, "\n") != 4+3-1 {
		t.Errorf("%d problems, want 4 with 3 remedies: %s", len(wrong), text)
	}
}

// A run that was copied, with its config changed to another seed, is found.
func TestEqualRunsOfTwoSeeds(t *testing.T) {
	files := inMemory(t, wholeStudy(t))
	const from, to = "digits/adamw/seed-00/", "digits/adamw/seed-05/"
	for _, name := range []string{finalFile, configFile, epochsFile} {
		files[to+name] = files[from+name]
	}
	if text := CheckStudy(files, "study").Error(); strings.Count(text, "is of the run digits/adamw/seed-00, but its folder is digits/adamw/seed-05") != 2 {
		t.Errorf("a copy: %q", text)
	}
	files = edited(t, files, to+finalFile, `"seed": 0`, `"seed": 5`)
	files = edited(t, files, to+configFile, `"seed": 0`, `"seed": 5`)
	files = edited(t, files, to+epochsFile, `"seconds":0.1`, `"seconds":0.7`) // 0.7 + 0.2
	files = edited(t, files, to+finalFile, `"train_time": 0.30000000000000004`, `"train_time": 0.8999999999999999`)
	wrong := CheckStudy(files, "study")
	if want := "is of seed 5, and its epochs equal those of seed 0, " + filepath.Join("study", from, finalFile); len(wrong) != 1 || !strings.Contains(wrong[0].Sentence, want) {
		t.Errorf("want %q, got %v", want, wrong)
	}
}

// Names of a job that lead elsewhere are no folder's, in an archive of a run alone too.
func TestNamesThatLeadElsewhere(t *testing.T) {
	for _, dataset := range []string{"..", "a/..", "/", "../../.."} {
		for _, folder := range []string{".", "seed-00", "x/seed-01", "digits/adamw/seed-00"} {
			job := Job{Dataset: dataset, Optimizer: "x/../..", Seed: 0}
			if got := (&tree{archive: true}).misplaced(folder, job); got == nil && folder == "digits/adamw/seed-00" {
				t.Errorf("%s in %s: nothing is wrong", dataset, folder)
			}
		}
	}
}

// Where the settings of one run are not those of the others, that one is named.
func TestOneRunOfOtherSettings(t *testing.T) {
	folder := t.TempDir()
	for seed := range 3 {
		writeRun(t, folder, configOf("adamw", seed))
	}
	files := edited(t, inMemory(t, folder), "digits/adamw/seed-00/config.json", `"lr": "0.10"`, `"lr": "0.5"`)
	wrong := CheckStudy(files, "study")
	if len(wrong) != 1 || wrong[0].Place != filepath.Join("study", "digits", "adamw", "seed-00", "config.json") {
		t.Errorf("want the config.json of seed 0, got %v", wrong)
	}
}

// What may be deleted is the folder of a run, never one that may hold more.
func TestRemedyNeverDeletesAStudy(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"study", "seed-1"} { // a study may be called so
		folder := filepath.Join(parent, name)
		writeRun(t, folder, configOf("adamw", 0))
		if err := os.WriteFile(filepath.Join(folder, finalFile), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(folder)
		if err == nil || strings.Contains(err.Error(), "delete") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever byte of a file is lost or changed: nothing panics, and no number changes without
// an error but those of the test set, of which there is no second source.
func TestCheckOfDamagedBytes(t *testing.T) {
	files := inMemory(t, wholeStudy(t))
	const run = "digits/adamw/seed-00/"
	read := func() (Final, Problems) {
		ended, wrong := (&tree{fs: files}).ended(run + finalFile)
		ended.Final.Test, ended.Final.Schema = nil, 0
		return ended.Final, wrong
	}
	want, wrong := read()
	if wrong != nil {
		t.Fatal(wrong)
	}
	for _, name := range []string{finalFile, epochsFile, configFile} {
		content := files[run+name].Data
		for i := range content {
			left, right := content[:i:i], content[i+1:]
			for _, damaged := range [][]byte{left, append(left, right...), append(append(left, content[i]^1), right...)} {
				files[run+name] = &fstest.MapFile{Data: damaged}
				if got, wrong := read(); wrong == nil && got != want {
					t.Fatalf("byte %d of %s: %+v, want an error or %+v", i, name, got, want)
				}
			}
		}
		files[run+name] = &fstest.MapFile{Data: content}
	}
}

// The records of the published studies, of version 0.1, have nothing wrong.
func TestPublishedStudies(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	archives, err := filepath.Glob(filepath.Join("..", "..", "docs", "studies", "*.zip"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("%q, %v", archives, err)
	}
	for _, path := range archives {
		if studies := mustRead(t, path); len(studies) != 1 || len(studies[0].Runs) == 0 || len(studies[0].Jobs) == 0 {
			t.Errorf("%s: %d studies", path, len(studies))
		}
	}
}
