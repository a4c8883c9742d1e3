package study

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/report"
)

// reportOf returns a study's report.
func reportOf(t *testing.T, s *Study) string {
	t.Helper()
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	analysis, err := report.Compare(rows, optim.Spec(s.Optimizers[0]))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Render(&text, analysis, report.Markdown); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestPlanIsFollowed(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Epochs = 1
	path := filepath.Join(t.TempDir(), "plans", "plan.json")
	s.Intent = Intent{Metric: "f1", Margins: map[string]float64{"f1": 0.01}, Notes: []string{"Only we know."}}
	for range 2 { // the second finds what the first has written
		if differences, err := s.Register(path); err != nil || len(differences) > 0 {
			t.Fatal(differences, err)
		}
	}
	again := smallStudy(s.Out)
	again.Epochs = 1
	if _, err := again.Register(""); err != nil || !reflect.DeepEqual(again.Intent, s.Intent) {
		t.Errorf("the same command without flags has %+v, %v", again.Intent, err)
	}
	runStudy(t, s)
	text := reportOf(t, s)
	for _, want := range []string{"The plan was followed", "there is no interval to compare with the planned margin of 1", "Only we know.", "about the test macro F1", "digest " + events(t, s)[0].Plan[:12]} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the report:\n%s", want, text)
		}
	}
	// One more seed than planned: whoever adds seeds until p is small must say so.
	s.Seeds = []int{0, 1, 2}
	differences, err := s.Register(path)
	if err == nil || !strings.Contains(err.Error(), "a plan is made once") {
		// The file is the kept plan still.
		if len(differences) != 1 || !strings.Contains(differences[0], "seeds 0,1 and the study has 0-2") {
			t.Errorf("a study of another seed: %q, %v", differences, err)
		}
	}
	runStudy(t, s)
	text = reportOf(t, s)
	for _, want := range []string{"seed 2: there, and not planned", "Exploratory: the plan was not followed", "the list of runs was changed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the report:\n%s", want, text)
		}
	}
}

// events returns the ledger of a study.
func events(t *testing.T, s *Study) []record.Event {
	t.Helper()
	history, err := record.ReadLedger(os.DirFS(s.Out), s.Out)
	if err != nil || len(history.Events) == 0 {
		t.Fatalf("%d events, %v", len(history.Events), err)
	}
	return history.Events
}

// A study that chose nothing has a plan all the same, and its ledger begins with it.
func TestDefaultPlan(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds, s.Epochs = []int{0}, 1
	if differences, err := s.Register(""); err != nil || differences != nil {
		t.Fatal(differences, err)
	}
	runStudy(t, s)
	plan, err := record.ReadPlan(filepath.Join(s.Out, record.PlanFile))
	if err != nil || plan.Metric != "val_acc" || plan.Build != train.ThisBuild() || plan.Settings["endpoint"] != "last" || plan.Looks != nil {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	content, err := os.ReadFile(filepath.Join(s.Out, record.PlanFile))
	first := events(t, s)[0]
	if err != nil || first.Event != record.StudyPlanned || first.Files[record.PlanFile] != record.Digest(content) || *first.Build != plan.Build {
		t.Errorf("the ledger begins with %+v, %v", first, err)
	}
	alone := smallStudy(t.TempDir())
	alone.Optimizers = alone.Optimizers[:1]
	if _, err := alone.Register(""); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(alone.Out, record.PlanFile)); err == nil {
		t.Error("a study of one optimizer has a plan")
	}
	alone.Intent.Metric = "f1"
	if _, err := alone.Register(""); err == nil || !strings.Contains(err.Error(), "two optimizers") {
		t.Error(err)
	}
}

func TestPlanIsMadeOnceAndBefore(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds, s.Epochs = []int{0}, 1
	folder := t.TempDir()
	path := filepath.Join(folder, "plan.json")
	register := func(name, want string, intent Intent) {
		t.Helper()
		s.Intent = intent
		if _, err := s.Register(filepath.Join(folder, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", name, want, err)
		}
		s.Intent = Intent{}
	}
	register("plan.json", "margin -1 of val_acc", Intent{Margins: map[string]float64{"val_acc": -1}})
	register("plan.json", "unknown metric", Intent{Margins: map[string]float64{"x": 1}})
	register("plan.json", "unknown metric", Intent{Metric: "x"})
	register("plan.json", "the last look is at 10 units, and the study has 1", Intent{Looks: []int{8, 10}})
	register("plan.json", "a look at 1 units follows one at 8", Intent{Looks: []int{8, 1}})
	if err := os.WriteFile(filepath.Join(folder, "misspelt.json"), []byte(`{"seed": [1]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	register("misspelt.json", "unknown field", Intent{})
	register("", "it is a folder, and a file is expected: name one", Intent{})
	s.Out = folder
	register("index.html", "is in the study's folder, where its plan is plan.json", Intent{})
	register("digits/plan.json", "is in the study's folder", Intent{})
	s.Out = filepath.Join(folder, record.Shard{Index: 1, Of: 2}.Folder())
	register("metrics.csv", "is in the study's folder", Intent{})
	s.Out = t.TempDir()
	wrong := *s
	wrong.Intent.Looks = []int{8, 1}
	wrong.Out = filepath.Join(folder, "new")
	if _, err := wrong.Hold(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "follows one at 8") {
		t.Errorf("the folder of a study with a wrong plan: %v", err)
	}
	if _, err := os.Stat(wrong.Out); err == nil {
		t.Error("a plan that was refused has left a folder")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a plan that was refused has been written")
	}
	if _, err := s.Register(path); err != nil {
		t.Fatal(err)
	}
	register("plan.json", "has the margins none, not f1=0.02,val_acc=0.1: it is made once", Intent{Margins: map[string]float64{"val_acc": 0.1, "f1": 0.02}})
	register("plan.json", "has the metric val_acc, not f1: it is made once", Intent{Metric: "f1"})
	register("plan.json", `has the notes none, not "a" "b": it is made once`, Intent{Notes: []string{"a", "b"}})
	other, err := record.ReadPlan(path)
	if err == nil {
		other.Metric = "f1"
		err = other.Write(filepath.Join(folder, "other.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	register("other.json", "is not the one that the study "+s.Out+" began with", Intent{})
	if _, err := s.Register(filepath.Join(folder, "again.json")); err != nil {
		t.Errorf("where the file is gone, it is written again: %v", err)
	}
	again, err := os.ReadFile(filepath.Join(folder, "again.json"))
	if kept, keptErr := os.ReadFile(path); err != nil || keptErr != nil || string(again) != string(kept) {
		t.Errorf("written again: %s, %v, %v", again, err, keptErr)
	}

	late := smallStudy(t.TempDir())
	late.Seeds, late.Epochs = []int{0}, 1
	runStudy(t, late)
	if _, err := late.Register(path); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("a plan after the first run: %v", err)
	}
	if _, err := late.Register(""); err != nil {
		t.Errorf("a study that began without a plan: %v", err)
	}
	if _, err := os.Stat(filepath.Join(late.Out, record.PlanFile)); err == nil {
		t.Error("a study that began without a plan has one")
	}
}

// Before the first run a study is what its plan says, or a part of it; later it may be more.
func TestFirstRunFollowsThePlan(t *testing.T) {
	for name, c := range map[string]struct {
		plan   func(*record.Plan) // what another hand wrote; the study has the arms adamw and diaghess, and the seeds 0 and 1
		want   string             // in the error, or in the note
		notes  int
		refuse bool
	}{
		"more seeds are planned":   {func(p *record.Plan) { p.Seeds = []int{0, 1, 2, 5} }, "the plan has the seeds 0-2,5 and the study has 0,1", 1, false},
		"more arms are planned":    {func(p *record.Plan) { p.Optimizers = append(p.Optimizers, "sgd") }, "the optimizers adamw, diaghess, sgd and the study has adamw, diaghess", 1, false},
		"another program":          {func(p *record.Plan) { p.Build.Commit = "c" }, "the plan has the program c ", 1, false},
		"fewer seeds are planned":  {func(p *record.Plan) { p.Seeds = []int{0} }, "is of another study: the plan has the seeds 0 and the study has 0,1. Give what is planned or", 0, true},
		"another baseline":         {func(p *record.Plan) { slices.Reverse(p.Optimizers) }, "the optimizers diaghess, adamw and the study has adamw, diaghess", 0, true},
		"another data set":         {func(p *record.Plan) { p.Datasets = []string{"mnist"} }, "the datasets mnist and the study has digits", 0, true},
		"another setting":          {func(p *record.Plan) { p.Settings["epochs"] = "9" }, "the plan has the epochs 9 and the study has 3", 0, true},
		"another tuning":           {func(p *record.Plan) { p.Tuned = "d" }, "the plan has the tuning d and the study has none", 0, true},
		"another version":          {func(p *record.Plan) { p.Schema = 2 }, "is of another version of this program", 0, true},
		"looks that rise too soon": {func(p *record.Plan) { p.Looks = []int{1, 2} }, "looks at 1, 2 units, the first needs at least 5", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"", filepath.Join(t.TempDir(), "plan.json")} {
				s := smallStudy(t.TempDir())
				plan, err := s.plan()
				if err == nil {
					c.plan(plan)
					err = plan.Write(cmp.Or(path, filepath.Join(s.Out, record.PlanFile)))
				}
				if err != nil {
					t.Fatal(err)
				}
				notes, err := s.Register(path)
				if said := fmt.Sprint(notes, err); !strings.Contains(said, c.want) || len(notes) != c.notes || (err != nil) != c.refuse {
					t.Errorf("%q: %q, %v", path, notes, err)
				} else if path != "" && strings.Contains(said, "remove") {
					t.Errorf("%s may be the plan of another study: %s", path, said)
				}
				if _, err := os.Stat(filepath.Join(s.Out, record.PlanFile)); c.refuse && path != "" && err == nil {
					t.Error("a plan that was refused is in the study")
				}
			}
		})
	}
}

// Looks are refused where they decide nothing. The sign flips of n units have a p of 2^(1-n) or
// more, .0078 at 8; the level of a look at half of the units is .0031, see package stats.
func TestLooksThatDecide(t *testing.T) {
	for units, want := range map[int][]int{20: {10, 15, 20}, 40: {20, 30, 40}, 16: {12, 16}, 10: {8, 10}, 5: {5}} {
		if got := DefaultLooks(units); !slices.Equal(got, want) {
			t.Errorf("%d units: looks at %d, want %d", units, got, want)
		}
	}
	for _, c := range []struct {
		looks []int // the last is the number of seeds
		want  string
	}{
		{[]int{8, 12, 16}, "a look at 8 units decides nothing: its level is 0.0031, and sign flips of so many have no p below 0.0078"},
		// Of more than 20 units 9,999 patterns are sampled.
		{[]int{30, 100}, "a look at 30 units decides nothing: its level is 8.5e-05, and sign flips of so many have no p below 0.0001"},
		{[]int{5}, ""}, // the end, decided by t-tests
	} {
		s := smallStudy(t.TempDir())
		for seed := range c.looks[len(c.looks)-1] {
			s.Seeds = append(s.Seeds[:seed], seed)
		}
		s.Intent.Looks = c.looks
		if _, err := s.Register(""); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("looks at %d: %v", c.looks, err)
		}
	}
}

// looking has a study look at its runs, and returns where it keeps what was said.
func looking(s *Study) *[]string {
	var said []string
	s.Look = func(look int) (func(record.Job) bool, string, error) {
		rows, err := report.ReadFolder(s.Out)
		if err != nil {
			return nil, "", err
		}
		a, err := report.Compare(rows, s.Arms()[0])
		if err != nil {
			return nil, "", err
		}
		said = append(said, a.AfterLook(look))
		return func(j record.Job) bool { return a.Open(j.Dataset, j.Name()) }, a.AfterLook(look), nil
	}
	return &said
}

// runsOf counts the runs of the arms in a study's folder.
func runsOf(t *testing.T, s *Study) map[string]int {
	t.Helper()
	count := map[string]int{}
	jobs, err := record.BegunRuns(t.Context(), s.Out)
	for _, job := range jobs {
		count[job.Name()]++
	}
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// At a look the cells that are decided need no more runs. The others go on, with the
// baseline, also in a study that goes on later with other seeds, or with theirs in another order.
func TestLooks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const fast, slow, near = "sgd:lr=0.05", "sgd:lr=1e-09", "sgd:lr=0.0501"
	var seeds []int
	for seed := range 22 {
		seeds = append(seeds, seed)
	}
	study := func(out string, seeds []int, arms string) (*Study, *[]string) {
		s := smallStudy(out)
		s.Seeds, s.Optimizers, s.Epochs, s.Limit = seeds, rules(arms), 2, 100
		return s, looking(s)
	}
	arms := strings.Join([]string{fast, slow, near}, ",")
	s, said := study(t.TempDir(), seeds[:20], arms)
	s.Intent.Looks = []int{10, 15, 20}
	extents := &extents{}
	conduct := func(s *Study) {
		t.Helper()
		if _, err := s.Register(""); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context(), extents); err != nil {
			t.Fatal(err)
		}
	}
	// looked are the looks that are expected.
	looked := func(said []string, want ...string) {
		t.Helper()
		for i, start := range want {
			if len(said) != len(want) || !strings.HasPrefix(said[i], start) {
				t.Fatalf("said %q, want %q", said, want)
			}
		}
	}
	first, second, third := "look at 10 seeds, level 0.00305: digits, lr=1e-09 against lr=0.05 is worse (p = 0.00", "look at 15 seeds, level 0.0183: nothing new is decided, 1 open", "look at 20 seeds, level 0.044: nothing new is decided, 1 open"

	conduct(s)
	looked(*said, first, second)
	if got, want := runsOf(t, s), (map[string]int{fast: 20, slow: 10, near: 20}); !maps.Equal(got, want) {
		t.Errorf("runs: %v, want %v", got, want)
	}
	if want := [][2]int{{60, 0}, {50, 30}, {50, 40}}; !slices.Equal(extents.all, want) {
		t.Errorf("runs and ended: %v, want %v", extents.all, want)
	}
	text := reportOf(t, s)
	for _, want := range []string{"The plan was followed", "3 of 3 reached", "An early stop overstates", "Planned on"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the report:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Not compared") {
		t.Errorf("runs that were not needed are missed:\n%s", text)
	}

	// The ledger has what each look left, once.
	left := func() (all []string) {
		history, err := record.ReadLedger(os.DirFS(s.Out), s.Out)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range history.Events {
			if e.Event == record.StudyLooked {
				all = append(all, fmt.Sprint(e.Runs, " of ", e.Step))
			}
		}
		return all
	}
	if got, want := left(), []string{"50 of 200"}; !slices.Equal(got, want) {
		t.Errorf("looks in the ledger: %v, want %v", got, want)
	}

	// The same command has nothing to do.
	extents.all = nil
	s, said = study(s.Out, seeds[:20], arms)
	conduct(s)
	looked(*said, first)
	if want := [][2]int{{60, 50}, {50, 50}}; !slices.Equal(extents.all, want) {
		t.Errorf("the same command, runs and ended: %v, want %v", extents.all, want)
	}
	if got := left(); len(got) != 1 {
		t.Errorf("looks in the ledger after the same command: %v", got)
	}
	// In another order of the seeds the looks are at the planned ones, and seeds that are not
	// planned come after the last.
	s, said = study(s.Out, slices.Concat(seeds[10:], seeds[:10]), arms)
	conduct(s)
	looked(*said, first, second, third)
	if got, want := runsOf(t, s), (map[string]int{fast: 22, slow: 10, near: 22}); !maps.Equal(got, want) {
		t.Errorf("runs with more seeds: %v, want %v", got, want)
	}
	// Against another baseline there is no look, and all that is asked for is trained.
	s, said = study(s.Out, seeds[:11], strings.Join([]string{slow, fast, near}, ","))
	conduct(s)
	looked(*said, "look 1 was not reached")
	if got, want := runsOf(t, s), (map[string]int{fast: 22, slow: 11, near: 22}); !maps.Equal(got, want) {
		t.Errorf("runs with another baseline: %v, want %v", got, want)
	}

	// Without one of the planned rivals the family is smaller than planned: no look was reached.
	if err := os.RemoveAll(filepath.Join(s.Out, "digits", "sgd_lr=0.0501")); err != nil {
		t.Fatal(err)
	}
	s, _ = study(s.Out, seeds, arms)
	if text := reportOf(t, s); !strings.Contains(text, "0 of 3 reached") {
		t.Errorf("a look without a planned rival:\n%s", text)
	}
}

// extents keeps how many runs a study says that it has, and how many of them ended before.
type extents struct {
	Silent
	all [][2]int
}

func (e *extents) Study(extent Extent) { e.all = append(e.all, [2]int{len(extent.Jobs), extent.Ended}) }
