package report

import (
	"slices"
	"strings"
	"testing"
)

func mustRead(t *testing.T, path, content string) File {
	t.Helper()
	file, err := readCSV(path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckAgrees(t *testing.T) {
	a := publishedAnalysis(t)
	for _, file := range append(readPublished(t, "summary"), readPublished(t, "ttest")...) {
		if c := a.Check(file); len(c.Problems) > 0 || c.Note != "" || c.Numbers == 0 {
			t.Errorf("%+v", c)
		}
	}
	expectLines(t, render(t, a, Text), " Checked: pilot/cifar10_adam_optimizer_summary.csv agrees: all of its numbers (16) follow from the runs.")
}

// The runs: adamw 1, 2, 4 and sgd 3, 3, 5, so that mean, deviation and t of
// val_loss are 7/3, √(7/3), 4 (three pairs, see TestComparePairsBySeed) and
// p = 1 − 4/√(2+16).
func checkedAnalysis(t *testing.T) *Analysis {
	return mustCompare(t, []Row{
		run("digits", "adamw", 0, 1), run("digits", "adamw", 1, 2), run("digits", "adamw", 2, 4),
		run("digits", "sgd", 0, 3), run("digits", "sgd", 1, 3), run("digits", "sgd", 2, 5),
	}, "")
}

// The wanted problems are beginnings: where they end in a recomputed number, its
// last digit is left to the order of the arithmetic.
func TestCheckNamesEveryNumberThatDiffers(t *testing.T) {
	const summaryHeader, testHeader = "dataset,optimizer,metric,mean,std\n", "dataset,metric,t_stat,p_value\n"
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"right summary", summaryHeader + "digits,adamw,val_loss,2.3333333333333335,1.5275252316519468\n", nil},
		{"mean", summaryHeader + "digits,adamw,val_loss,2.33333334,1.5275252316519468\n",
			[]string{"line 2: digits adamw val_loss mean is 2.33333334 in the file, 2.3333333333333335 recomputed"}},
		{"population deviation", summaryHeader + "digits,adamw,val_loss,2.3333333333333335,1.247219128924647\n",
			[]string{"line 2: digits adamw val_loss std is 1.247219128924647 in the file, 1.52752523165194"}},
		{"no deviation", summaryHeader + "digits,adamw,val_loss,2.3333333333333335,\n",
			[]string{"line 2: digits adamw val_loss std is missing in the file, 1.52752523165194"}},
		{"unknown optimizer", summaryHeader + "digits,adam,f1,0.1,0.1\n",
			[]string{
				`line 2: digits adam f1 mean cannot be checked: there is no finished run of "adam" on "digits"`,
				`line 2: digits adam f1 std cannot be checked: there is no finished run of "adam" on "digits"`,
			}},
		{"right test", testHeader + "digits,val_loss,4,0.057190958417936644\n", nil},
		{"one-sided p", testHeader + "digits,val_loss,4,0.028595479208968322\n",
			[]string{"line 2: digits val_loss p_value is 0.028595479208968322 in the file, "}},
		{"unknown metric", testHeader + "digits,loss,4,0.05\n",
			[]string{
				`line 2: digits loss t_stat cannot be checked: "loss" is not a metric`,
				`line 2: digits loss p_value cannot be checked: "loss" is not a metric`,
			}},
		{"unknown data set", testHeader + "mnist,f1,4,0.05\n",
			[]string{
				`line 2: mnist f1 t_stat cannot be checked: there are no two optimizers to compare on "mnist"`,
				`line 2: mnist f1 p_value cannot be checked: there are no two optimizers to compare on "mnist"`,
			}},
	} {
		a := checkedAnalysis(t)
		got := a.Check(mustRead(t, "f.csv", c.content))
		if !slices.EqualFunc(got.Problems, c.want, strings.HasPrefix) {
			t.Errorf("%s: problems %q, want %q", c.name, got.Problems, c.want)
		}
		if len(a.Checks) != 1 {
			t.Errorf("%s: %d checks kept, want 1", c.name, len(a.Checks))
		}
	}
}

func TestCheckOfTheOtherDirection(t *testing.T) {
	a := checkedAnalysis(t)
	turned := a.Check(mustRead(t, "f.csv", "dataset,metric,t_stat,p_value\ndigits,val_loss,-4,0.057190958417936644\ndigits,f1,-4,0.057190958417936644\n"))
	if len(turned.Problems) > 0 || !strings.Contains(turned.Note, "adamw") {
		t.Errorf("a file of baseline minus rival: %+v", turned)
	}
	mixed := a.Check(mustRead(t, "f.csv", "dataset,metric,t_stat,p_value\ndigits,val_loss,-4,0.057190958417936644\ndigits,f1,4,0.057190958417936644\n"))
	if len(mixed.Problems) != 1 {
		t.Errorf("a file of both directions: %+v", mixed)
	}
}

// The names of version 0.1 in files are read as the present ones; as a baseline they are
// refused.
func TestFormerNames(t *testing.T) {
	const header, statistics = "dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n", "dataset,metric,t_stat,p_value\ndigits,val_loss,,\n" // no difference, no test
	var rows []Row
	for _, arm := range []string{"adamw", "diaghess:curvature=recursion", "diaghess:curvature=gnb"} {
		file := mustRead(t, "metrics.csv", header+`digits,0,"`+arm+`",1,.5,.5,1`+"\n"+`digits,1,"`+arm+`",2,.5,.5,1`+"\n")
		rows = append(rows, file.Rows...)
	}
	a := mustCompare(t, rows, "")
	if want := []string{"adamw", "diaghess:curvature=hesscale", "diaghess:curvature=gnb"}; !slices.Equal(a.Optimizers, want) {
		t.Errorf("optimizers %v, want %v", a.Optimizers, want)
	}
	if c := a.Check(mustRead(t, "summary.csv", "dataset,optimizer,metric,mean,std\ndigits,diaghess:curvature=recursion,val_loss,1.5,0.70710678118654757\n")); len(c.Problems) > 0 {
		t.Errorf("summary of a former name: %+v", c)
	}
	if c := a.Check(mustRead(t, "ttest-diaghess%3Acurvature%3Drecursion.csv", statistics)); len(c.Problems) > 0 {
		t.Errorf("t-test of a former name: %+v", c)
	}
	if _, err := Compare(rows, "diaghess:curvature=recursion"); err == nil || !strings.Contains(err.Error(), "diaghess:curvature=hesscale now") {
		t.Errorf("a former name as baseline: %v", err)
	}
}

func TestCheckOfSeveralRivals(t *testing.T) {
	rows := checkedAnalysis(t).Rows
	for seed, x := range []float64{7, 8, 9} {
		rows = append(rows, run("digits", "sgd:lr=1", seed, x))
	}
	a := mustCompare(t, rows, "")
	const content = "dataset,metric,t_stat,p_value\ndigits,val_loss,4,0.057190958417936644\n"
	if c := a.Check(mustRead(t, "some/ttest-sgd.csv", content)); len(c.Problems) > 0 {
		t.Errorf("the file of the rival in its name: %+v", c)
	}
	if c := a.Check(mustRead(t, "ttest-sgd%3Alr%3D1.csv", content)); len(c.Problems) != 2 {
		t.Errorf("the file of another rival: %+v", c)
	}
	if c := a.Check(mustRead(t, "ttest.csv", content)); len(c.Problems) != 2 || !strings.Contains(c.Problems[0], "ttest-sgd.csv") {
		t.Errorf("a file of no rival: %+v", c)
	}
}
