package report

import (
	"diaghess/train/record"
	"diaghess/train/stats"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
)

func render(t *testing.T, a *Analysis, f Format) string {
	t.Helper()
	var b strings.Builder
	if err := Render(&b, a, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// expectLines fails for every wanted line that is not a line of a text.
func expectLines(t *testing.T, text string, want ...string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}

// In text, every p ends in the column in which its title ends, as wide as
// the writer takes the characters before it to be (a locale's matter).
func TestTextIsAligned(t *testing.T) {
	end, checked := 0, 0
	for _, line := range strings.Split(render(t, publishedAnalysis(t), Text), "\n") {
		if before, _, isHeader := strings.Cut(line, " p  seeds better"); isHeader {
			end = text.StringWidthWithoutEscSequences(before + " p")
		} else if value := regexp.MustCompile(`^.* to .* 0\.\d{3} `).FindString(line); value != "" && strings.Contains(line, "better") {
			checked++
			if got := text.StringWidthWithoutEscSequences(strings.TrimSuffix(value, " ")); got != end {
				t.Errorf("the p of %q ends in column %d, its title in %d", line, got, end)
			}
		}
	}
	if checked != 2 {
		t.Errorf("%d lines checked, want 2 tables of one rival", checked)
	}
}

func TestNotes(t *testing.T) {
	var rows []Row
	for _, seed := range []int{0, 1, 2, 4, 5, 7} {
		for _, optimizer := range []string{"adamw", "diaghess"} {
			r := run("digits", optimizer, seed, float64(1+seed*len(optimizer)))
			r.Epochs, r.Limit = 5, 2000
			rows = append(rows, r)
		}
	}
	rows = append(rows,
		run("digits", "adamw", 8, 1), Row{Dataset: "digits", Optimizer: "diaghess", Seed: 8, Status: record.Diverged, Note: "loss NaN in epoch 2"},
		run("digits", "adamw", 9, 1), Row{Dataset: "digits", Optimizer: "diaghess", Seed: 9, Status: record.Diverged, Note: "loss NaN in epoch 2"},
		run("digits", "diaghess", 10, 1))
	expectLines(t, render(t, mustCompare(t, rows, ""), Text),
		"digits: accuracy",
		" n = 6 pairs, seeds 0–2, 4, 5, 7, 5 epochs, first 2000 pictures only (--limit).",
		" Left out: seeds 8, 9, diaghess diverged: loss NaN in epoch 2.",
		" Left out: seed 10, adamw missing.")

	rows[0].Epochs, rows[1].Limit, rows[2].Limit = 50, 0, 3000
	expectLines(t, render(t, mustCompare(t, rows, ""), Text),
		" n = 6 pairs, seeds 0–2, 4, 5, 7.",
		" CAUTION: digits, diaghess against adamw: the runs differ in their number of epochs: 5, 50.",
		" CAUTION: digits, diaghess against adamw: the runs differ in how many pictures they trained on (--limit): 2000, 3000; 0 is all.")
}

// What is not said of all rivals names its own.
func TestNotesOfSeveral(t *testing.T) {
	var rows []Row
	for _, optimizer := range []string{"adamw", "lion", "muon", "sgd"} {
		for seed := range 3 {
			rows = append(rows, run("digits", optimizer, seed, float64(1+seed*len(optimizer))))
			rows[len(rows)-1].Measured = Measured{Protocol: record.ProtocolPilot}
		}
	}
	rows[len(rows)-1].Status = record.Diverged
	a := mustCompare(t, rows, "")
	notes := a.forestTables()[0].notes
	want := []string{"[1] n/a: a paired test needs at least 3 pairs, got 2.", "All but sgd: n = 3 pairs, seeds 0–2.", "Measured on the test set, which is the validation set too, after the last epoch.",
		"sgd: n = 2 pairs, seeds 0, 1.", "Left out: seed 2, sgd diverged."}
	if !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

func TestMissingNumbersHaveReasons(t *testing.T) {
	for _, c := range []struct {
		name  string
		rows  []Row
		cells string // of val_loss
		lines []string
	}{
		{
			"one pair", []Row{run("digits", "adamw", 3, 1), run("digits", "sgd", 3, 0.5)},
			"**val_loss** | 1.0000 ± n/a [1] | 0.5000 ± n/a [1] | −0.5000 | −50.00 % | n/a [2] | n/a [2]",
			[]string{
				`- \[1\] n/a: one run has no standard deviation.`,
				`- \[2\] n/a: a paired test needs at least 3 pairs, got 1.`,
				"- n = 1 pair, seed 3.",
			},
		},
		{
			"no pair", []Row{run("digits", "adamw", 3, 1), run("digits", "sgd", 4, 0.5)},
			"**val_loss** | n/a [1] | n/a [1] | n/a [1] | n/a [1] | n/a [1] | n/a [1]",
			[]string{
				`- \[1\] n/a: no seed has finished in every arm.`,
				"- n = 0 pairs.",
				"- Left out: seed 3, sgd missing.",
				"- Left out: seed 4, adamw missing.",
			},
		},
		{
			"no spread, baseline of zero", []Row{
				run("digits", "adamw", 0, 0), run("digits", "adamw", 1, 0), run("digits", "adamw", 2, 0),
				run("digits", "sgd", 0, 1), run("digits", "sgd", 1, 1), run("digits", "sgd", 2, 1),
			},
			"**val_loss** | 0.0000 ± 0.0000 | 1.0000 ± 0.0000 | +1.0000 | n/a [1] | n/a [2] | n/a [2]",
			[]string{
				`- \[1\] n/a: there is no change in percent of a mean of zero.`,
				`- \[2\] n/a: all differences are equal: their standard deviation is zero and t is not defined.`,
			},
		},
		{
			"one optimizer", []Row{run("digits", "adamw", 0, 1), run("digits", "adamw", 1, 3)},
			"**val_loss** | 2.0000 ± 1.4142",
			[]string{
				"### digits: adamw",
				"- n = 2 runs, seeds 0, 1.",
				"There is no other optimizer to compare with.",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			markdown := render(t, mustCompare(t, c.rows, ""), Markdown)
			tables := pipeTables(markdown)
			place := slices.IndexFunc(tables, func(table [][]string) bool { return table[0][0] == "Metric" })
			if cells := strings.Join(tables[place][1], " | "); cells != c.cells {
				t.Errorf("cells %q, want %q", cells, c.cells)
			}
			expectLines(t, markdown, c.lines...)
		})
	}
}

// The arms of package stats are x and y.
func TestReasonNamesNoVariable(t *testing.T) {
	var reasons footnotes
	for _, arm := range []string{"x", "y"} {
		reasons.cite(fmt.Errorf("%s: %w", arm, stats.ErrConstant))
	}
	if want := []string{"[1] n/a: all values of an arm are equal: they have no correlation and no variance to compare."}; !slices.Equal(reasons.lines(), want) {
		t.Errorf("%q, want %q", reasons.lines(), want)
	}
}

func TestExactly(t *testing.T) {
	for want, v := range map[string]float64{"10.00": 10, "10.000001": 100 * 0.10000001, "0.0000001": 100 * 1e-9, "0.50": 0.5, "1.23": 100 * 0.0123, "0.125": 0.125} {
		if got := exactly(v, 2); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

// Names from foreign files cannot add a cell or a line, nor reach a terminal as
// control characters.
func TestForeignNames(t *testing.T) {
	evil := []string{"a|b", "a\nb", "a\r\n| x |", "\x1b[31mred", "\u202eright to left", "<b>*bold*</b>", "`code`", "\xff\xfe", `\`, "a,b"}
	for _, name := range evil {
		a := mustCompare(t, []Row{run(name, "Baseline", 0, 1), run(name, name, 0, 2), run(name, "Baseline", 1, 1.5), run(name, name, 1, 3)}, "")
		a.Check(File{Path: name, Statistics: []Statistic{{2, name, name, name, "mean", 1}}})

		markdown := render(t, a, Markdown)
		tables := pipeTables(markdown)
		if len(tables[0]) != 3 || len(tables[0][0]) != 8 {
			t.Errorf("%q breaks the first Markdown table:\n%s", name, markdown)
			continue
		}
		for _, table := range tables {
			for _, row := range table {
				if len(row) != len(table[0]) {
					t.Errorf("%q makes %d cells of %d: %q", name, len(row), len(table[0]), row)
				}
			}
		}
		for _, output := range []string{markdown, render(t, a, Text)} {
			if strings.ContainsAny(output, "\x1b\r\u202e") || !utf8.ValidString(output) {
				t.Errorf("%q is printed raw: %q", name, output)
			}
		}
		if strings.Contains(markdown, "<b>") && !strings.Contains(markdown, `\<b\>`) {
			t.Errorf("%q keeps its HTML in:\n%s", name, markdown)
		}

		records, err := csv.NewReader(strings.NewReader(render(t, a, CSV))).ReadAll()
		// The csv package reads a line break inside a field as \n.
		if want := strings.ReplaceAll(name, "\r\n", "\n"); err != nil || len(records) != 1+len(Metrics()) || records[1][2] != want {
			t.Errorf("%q does not come back from CSV: %q, %v", name, records, err)
		}
	}
}

func TestRenderCSV(t *testing.T) {
	a := mustCompare(t, []Row{run("digits", "adamw", 0, 1), run("digits", "sgd", 0, 2)}, "")
	expectLines(t, render(t, a, CSV),
		"dataset,baseline,rival,metric,role,n,baseline_mean,baseline_std,rival_mean,rival_std,difference,percent_change,t_stat,p_value,ci_low,ci_high,"+
			"p_adjusted,p_holm,level,look,wins,hodges_lehmann,wilcoxon_p,interquartile_difference,interquartile_low,interquartile_high,improvement,improvement_low,improvement_high,"+
			"pair_correlation,pairing_gain,spread_ratio,spread_p,detectable,failures_p,time_ratio,verdict",
		"digits,adamw,sgd,val_loss,secondary,1,1,,2,,1,100,,,,,,,,,,,,,,,,,,,,,,,,,",
		"digits,adamw,sgd,val_acc,primary,1,0.1,,0.2,,0.1,100,,,,,,,0.05,,1,,,,,,,,,,,,,,1,,too few")
}

func TestRenderJSON(t *testing.T) {
	rows := []Row{
		run("digits", "adamw", 0, 1), run("digits", "sgd", 0, 2),
		run("digits", "adamw", 1, 1), run("digits", "sgd", 1, 3),
		run("digits", "adamw", 2, 1), run("digits", "sgd", 2, 4),
		run("digits", "adamw", 3, 1),
		run("mnist", "adamw", 0, 1), run("mnist", "sgd", 1, 1),
	}
	a := mustCompare(t, rows, "")
	a.Check(File{Path: "s.csv", Statistics: []Statistic{{2, "digits", "sgd", "f1", "mean", 7}}})
	var got struct {
		Comparisons []struct {
			Dataset string
			N       int
			Seeds   []int
			LeftOut []LeftOut `json:"left_out"`
			Metrics []struct {
				Metric   string
				T, P     *float64
				Untested string
				Baseline struct{ Mean *float64 } `json:"baseline_stats"`
			}
		}
		Checks []Check
	}
	output := render(t, a, JSON)
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatalf("%v in:\n%s", err, output)
	}
	digits, mnist := got.Comparisons[0], got.Comparisons[1]
	// Differences 1, 2 and 3: t = 2 / (1/√3) = 2√3 with two degrees of freedom, of which
	// p = 1 − t/√(2 + t²) (Student's t with two degrees of freedom in closed form).
	if digits.N != 3 || !slices.Equal(digits.LeftOut, []LeftOut{{"sgd", 3, "missing"}}) || digits.Metrics[0].Metric != "val_loss" ||
		math.Abs(*digits.Metrics[0].T-2*math.Sqrt(3)) > 1e-14 || math.Abs(*digits.Metrics[0].P-(1-2*math.Sqrt(3)/math.Sqrt(14))) > 1e-14 {
		t.Errorf("digits: %s", output)
	}
	if mnist.N != 0 || mnist.Seeds == nil || mnist.Metrics[0].T != nil || mnist.Metrics[0].Baseline.Mean != nil || mnist.Metrics[0].Untested == "" {
		t.Errorf("mnist, without a pair: %s", output)
	}
	if len(got.Checks) != 1 || len(got.Checks[0].Problems) != 1 {
		t.Errorf("checks: %+v", got.Checks)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("html"); err == nil || err.Error() != `unknown format "html"; known are text markdown csv json` {
		t.Errorf("error for an unknown format: %v", err)
	}
}
