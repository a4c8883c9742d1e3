package record

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// writeStudy writes two runs of a study, of which the second comes first in study.json.
func writeStudy(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var jobs []Job
	for _, optimizer := range []string{"adamw", "sgd:lr=0.10,momentum=0"} {
		job := configOf(optimizer, 3).Job
		jobs = append([]Job{job}, jobs...)
		writeRun(t, folder, configOf(optimizer, 3))
	}
	if err := WriteStudy(folder, jobs); err != nil {
		t.Fatal(err)
	}
	return folder
}

// configOf is the config of a run of two epochs.
func configOf(optimizer string, seed int) Config {
	return Config{
		Job: Job{
			Settings: Settings{Model: "mlp", Epochs: 2, Batch: 64, Protocol: ProtocolHoldout, Augment: AugmentNone, Math: "fp32", Endpoint: EndpointLast, Average: AverageNone},
			Dataset:  "digits", Optimizer: optimizer, Seed: seed,
		},
		OptimizerSettings: map[string]string{"lr": "0.10", "momentum": "0"}, TrainPictures: 200, ValPictures: 10, TestPictures: 10,
		Parameters: 5, Steps: 8, Device: "cpu", Machine: "m", Algorithms: map[string]string{"out forward": "x"}, Build: Build{"c", "g", "p"},
	}
}

// writeRun writes a run of a config that finished, with results of its own.
func writeRun(t *testing.T, study string, config Config) (folder string) {
	t.Helper()
	run, err := RunOf(study, config.Job).Claim(config)
	if err != nil {
		t.Fatal(err)
	}
	loss := float64(len(config.Optimizer)) + float64(config.Seed)/100
	epochs := []Epoch{{Epoch: 1, TrainLoss: loss, ValLoss: 0.5, ValAcc: 0.2, Seconds: 0.1}, {Epoch: 2, TrainLoss: loss, ValLoss: 0.25, ValAcc: 0.5, F1: 0.75, Seconds: 0.2}}
	final := config.Final(Finished)
	final.Test = &TestScore{Loss: 0.5, Acc: 0.5, F1: 0.5}
	final.Summarize(epochs)
	if err := errors.Join(run.WriteEpochs(epochs), run.Finish(final, nil)); err != nil {
		t.Fatal(err)
	}
	return run.Folder
}

func mustRead(t *testing.T, path string) []Content {
	t.Helper()
	studies, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return studies
}

func TestRead(t *testing.T) {
	folder := writeStudy(t)
	studies := mustRead(t, folder)
	if len(studies) != 1 || studies[0].Folder != folder || len(studies[0].Runs) != 2 || len(studies[0].Jobs) != 2 {
		t.Fatalf("%+v", studies)
	}
	first := studies[0].Runs[0]
	if first.Final.Optimizer != "sgd:lr=0.10,momentum=0" || first.Final.Schema != Schema {
		t.Errorf("the first run is %+v", first.Final)
	}
	if want := filepath.Join(folder, "digits", "sgd_lr=0.10_momentum=0", "seed-03", "final.json"); first.Source != want {
		t.Errorf("its file is %s, want %s", first.Source, want)
	}
	if first.Settings["optimizer_settings.lr"] != "0.10" || first.Settings["steps"] != "8" {
		t.Errorf("settings %v", first.Settings)
	}

	// A part of a study and a folder above it give the same study.
	if part := mustRead(t, filepath.Join(folder, "digits")); !reflect.DeepEqual(part, studies) {
		t.Errorf("a part: %+v, want %+v", part, studies)
	}
	one := mustRead(t, filepath.Dir(first.Source))
	if len(one) != 1 || one[0].Folder != folder || len(one[0].Runs) != 1 || !reflect.DeepEqual(one[0].Runs[0], first) {
		t.Errorf("a run: %+v", one)
	}
	if above := mustRead(t, filepath.Dir(folder)); len(above) != 1 || !reflect.DeepEqual(above[0].Runs, studies[0].Runs) {
		t.Errorf("above: %+v", above)
	}
	t.Chdir(filepath.Dir(first.Source))
	if here := mustRead(t, "."); len(here) != 1 || here[0].Folder != filepath.Join("..", "..", "..") || len(here[0].Jobs) != 2 {
		t.Errorf("from within: %+v", here)
	}
}

// An archive of a study is read as its folder is.
func TestReadArchive(t *testing.T) {
	folder := writeStudy(t)
	path := filepath.Join(t.TempDir(), "study.zip")
	pack := func(name func(string) string) {
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		archive := zip.NewWriter(file)
		err = fs.WalkDir(os.DirFS(folder), ".", func(place string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(place)))
			if err != nil {
				return err
			}
			part, err := archive.Create(name(place))
			if err != nil {
				return err
			}
			_, err = part.Write(content)
			return err
		})
		if err := errors.Join(err, archive.Close(), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	pack(func(name string) string { return name })
	want, got := mustRead(t, folder), mustRead(t, path)
	pack(func(name string) string { return strings.ReplaceAll(name, "/", `\`) })
	if windows := mustRead(t, path); !reflect.DeepEqual(windows, got) {
		t.Errorf("with backslashes: %+v, want %+v", windows, got)
	}
	pack(func(string) string { return StudyFile })
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "holds "+StudyFile+" twice") {
		t.Errorf("with a name twice: %v", err)
	}
	for i := range want[0].Runs {
		want[0].Runs[i].Source = strings.Replace(want[0].Runs[i].Source, folder, path, 1)
	}
	want[0].Folder, want[0].Ledger[0].Place = path, filepath.Join(path, LedgerFolder)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := Read(filepath.Join(folder, StudyFile)); err == nil || !strings.Contains(err.Error(), "neither a folder nor a zip archive") {
		t.Errorf("another file: %v", err)
	}
}

// A small archive that holds a huge file is refused.
func TestReadRefusesHugeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.zip")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	member, err := archive.Create("digits/adamw/seed-00/final.json")
	if err != nil {
		t.Fatal(err)
	}
	for range largest>>20 + 1 {
		if _, err := member.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "it has 65 MB, more than the 64 MB") {
		t.Errorf("%v", err)
	}
}

// Records of version 0.1 have no schema and leave out what had one value only.
func TestOldConfig(t *testing.T) {
	run := Run{t.TempDir()}
	old := `{"model":"seedcnn","epochs":3,"batch":64,"protocol":"seed","limit":0,"label_smoothing":0,"dataset":"digits","optimizer":"adamw","seed":0,
		"optimizer_settings":{"lr":"0.001"},"train_pictures":1,"val_pictures":1,"test_pictures":0,"parameters":1,"steps":3,"device":"cpu",
		"algorithms":{},"build":{"commit":"c","go":"g","platform":"p"},"machine":"m"}`
	if err := os.WriteFile(filepath.Join(run.Folder, "config.json"), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	config, there, err := run.Config()
	if err != nil || !there || config.Augment != AugmentNone || config.Math != "fp32" || config.Protocol != ProtocolPilot || config.Model != "pilotcnn" {
		t.Fatalf("%+v, %v, %v", config, there, err)
	}
	if _, err := run.Claim(config); err != nil {
		t.Errorf("the run cannot go on: %v", err)
	}
	config.LabelSmoothing = 0.1
	if err := run.Chosen(config); err == nil || !strings.Contains(err.Error(), "label smoothing was 0 and is 0.1") {
		t.Errorf("other settings: %v", err)
	}
}

// Records with the names of version 0.1 are read with the present ones, and their runs go on
// where they are.
func TestFormerNames(t *testing.T) {
	const old, now = "diaghess:lr=3e-06,curvature=fisher,every=10", "diaghess:lr=3e-06,curvature=empirical-fisher,every=10"
	config := configOf(now, 3)
	config.Model, config.Protocol = "pilotcnn", ProtocolPilot
	config.OptimizerSettings = map[string]string{"lr": "3e-06", "curvature": "empirical-fisher", "every": "10"}
	job, study := config.Job, t.TempDir()
	if got, want := RunOf(study, job).Folder, filepath.Join(study, "digits", "diaghess_lr=3e-06_curvature=empirical-fisher_every=10", "seed-03"); got != want {
		t.Errorf("a new run is in %s, want %s", got, want)
	}
	folder := filepath.Join(study, "digits", "diaghess_lr=3e-06_curvature=fisher_every=10", "seed-03")
	const spec = "diaghess:lr=1,curvature=hesscale"
	tuning := Tuned{Settings: job.Settings, Dataset: "digits", Seeds: []int{1000000}, Metric: "val_acc", Trials: 1, Device: "cpu", Build: config.Build, Optimizers: []TunedOptimizer{{
		Optimizer: "diaghess:curvature=hesscale", Space: []Dimension{{"lr", 1, 2, true}}, Best: spec, BestTrial: 1,
		Trials: []Trial{{Trial: 1, Spec: spec, LR: 1, Status: Finished, Epochs: 2, Score: &TrialScore{}}},
	}}}
	written := writeRun(t, study, config)
	for _, err := range []error{
		WriteStudy(study, []Job{job}),
		os.WriteFile(filepath.Join(study, PlanFile), []byte(`{"written": "2026-01-02T03:04:05Z", "datasets": ["digits"], "optimizers": ["adamw", "`+now+`"], "seeds": [3],
			"settings": {"model": "pilotcnn"}, "metrics": ["val_loss", "val_acc"], "test": "`+formerTest+`"}`), 0o644),
		tuning.Write(filepath.Join(study, TunedFile)),
		os.Rename(filepath.Dir(written), filepath.Dir(folder)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	former := strings.NewReplacer("empirical-fisher", "fisher", "hesscale", "recursion", "pilotcnn", "seedcnn", `"pilot"`, `"seed"`, `"schema": 4,`, "")
	for _, path := range []string{
		filepath.Join(folder, configFile), filepath.Join(folder, finalFile), filepath.Join(study, StudyFile), filepath.Join(study, PlanFile), filepath.Join(study, TunedFile),
	} {
		edit(t, path, func(content []byte) []byte { return []byte(former.Replace(string(content))) })
	}

	c := mustRead(t, study)[0]
	run, tuned := c.Runs[0], c.Tuned.Optimizers[0]
	for what, names := range map[string][2]string{
		"study.json's optimizer": {c.Jobs[0].Optimizer, now}, "study.json's model": {c.Jobs[0].Model, "pilotcnn"}, "plan.json": {c.Plan.Optimizers[1], now}, "plan.json's metric": {c.Plan.Metric, "val_acc"},
		"final.json": {run.Final.Optimizer, now}, "config.json": {run.Settings["optimizer"], now},
		"config.json's settings": {run.Settings["optimizer_settings.curvature"], "empirical-fisher"},
		"tuned.json's optimizer": {tuned.Optimizer, "diaghess:curvature=hesscale"}, "its best": {tuned.Best, spec},
		"its trial": {tuned.Trials[0].Spec, spec},
	} {
		if names[0] != names[1] {
			t.Errorf("%s is read as %s, want %s", what, names[0], names[1])
		}
	}

	begun := RunOf(study, job)
	if begun.Folder != folder {
		t.Errorf("the run is looked for in %s, want %s", begun.Folder, folder)
	}
	if err := begun.Chosen(config); err != nil {
		t.Errorf("the run does not count as ended: %v", err)
	}
	if _, err := begun.Claim(config); err != nil {
		t.Errorf("the run cannot go on: %v", err)
	}
	if f, _, err := begun.Final(); err != nil || f.Optimizer != now {
		t.Errorf("%+v, %v", f, err)
	}
	config.OptimizerSettings["curvature"] = "hesscale"
	if err := begun.Chosen(config); err == nil {
		t.Error("another estimator is taken for the same")
	}
}

func TestCurrentSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"adamw": "adamw", "adam:lr=1": "adam:lr=1", "Baseline": "Baseline", "x:": "x:", "sophia:curvature": "sophia:curvature",
		"diaghess:curvature=recursion":             "diaghess:curvature=hesscale",
		"diaghess:lr=1,curvature=fisher,every=10":  "diaghess:lr=1,curvature=empirical-fisher,every=10",
		"diaghess:curvature=gnb":                   "diaghess:curvature=gnb",
		"diaghess:lr=1,curvature=empirical-fisher": "diaghess:lr=1,curvature=empirical-fisher",
	} {
		if got := CurrentSpec(spec); got != want {
			t.Errorf("%s is read as %s, want %s", spec, got, want)
		}
	}
}

// Settings that differ are named one by one, in few words: the optimizer's by key, the
// algorithms of all layers by their library.
func TestDifferences(t *testing.T) {
	was := configOf("sgd", 0)
	was.OptimizerSettings, was.Build = map[string]string{"lr": "0.1", "momentum": "0"}, Build{Commit: "a", Go: "b", Platform: "c"}
	was.Algorithms = map[string]string{}
	is := was
	is.Algorithms, is.OptimizerSettings = map[string]string{}, map[string]string{"lr": "0.2", "momentum": "0"}
	is.Build.Commit = "d"
	for i := range 100 {
		layer := fmt.Sprintf("conv%d forward", i)
		was.Algorithms[layer], is.Algorithms[layer] = "native winograd 4x4,3x3", "im2col + gonum sgemm"
	}
	run := Run{t.TempDir()}
	mustClaim(t, run, was)
	_, err := run.Claim(is)
	if want := "(lr of the optimizer was 0.1 and is 0.2; program was a b c and is d b c; library was native, is gonum)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	is = was
	is.Algorithms = maps.Clone(was.Algorithms)
	is.Algorithms["conv7 forward"], is.Algorithms["conv8 forward"] = "native direct", "native direct"
	_, err = run.Claim(is)
	if want := "(algorithm of conv7 forward was native winograd 4x4,3x3 and is native direct, and 2 algorithms differ in all)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// What a newer program wrote is not guessed at.
func TestNewerSchema(t *testing.T) {
	folder := writeStudy(t)
	final := mustRead(t, folder)[0].Runs[0].Source
	for _, path := range []string{final, filepath.Join(filepath.Dir(final), "config.json"), filepath.Join(folder, StudyFile)} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		newer := strings.Replace(string(content), `"schema": 4`, `"schema": 5`, 1)
		if err := os.WriteFile(path, []byte(newer), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), path+" has schema 5 and this program knows 4") {
			t.Errorf("%s: %v", path, err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	config := configOf("adamw", 0)
	run := mustClaim(t, Run{t.TempDir()}, config)
	read := func() (p Position, tensors string, there bool, err error) {
		p, there, err = run.ReadCheckpoint(func(r io.Reader) error {
			var content [7]byte
			_, err := io.ReadFull(r, content[:])
			tensors = string(content[:])
			return err
		})
		return p, tensors, there, err
	}
	if _, _, there, err := read(); there || err != nil {
		t.Errorf("without a checkpoint: %v, %v", there, err)
	}
	want := Position{Epoch: 1, Batch: 2, Step: 9, Seconds: 0.5, Epochs: []Epoch{{Epoch: 1, ValAcc: 0.25}}}
	err := run.WriteCheckpoint(want, func(w io.Writer) error {
		_, err := io.WriteString(w, "tensors")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, tensors, there, err := read(); err != nil || !there || tensors != "tensors" || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %q, %v, %v", p, tensors, there, err)
	}

	path := filepath.Join(run.Folder, "checkpoint")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		damaged := append([]byte(nil), content...)
		damaged[i] ^= 1
		for _, c := range [][]byte{damaged, content[:i]} {
			if err := os.WriteFile(path, c, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, there, err := read(); there || err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Fatalf("byte %d: %v, %v", i, there, err)
			}
		}
	}
}

// The study's folder is a name, not a pattern: characters of patterns stand for themselves.
func TestBegun(t *testing.T) {
	study := filepath.Join(t.TempDir(), "a[b")
	for _, want := range []bool{false, true} {
		if got, err := Begun(study); got != want || err != nil {
			t.Errorf("Begun is %v, %v, want %v", got, err, want)
		}
		run := filepath.Join(study, "digits", "adamw", "seed-00")
		if err := os.MkdirAll(run, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(run, "config.json"), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mustClaim(t *testing.T, run Run, config Config) Claimed {
	t.Helper()
	claimed, err := run.Claim(config)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

// A run goes on on any card of its kind. Records of old do not name the kind: the number counts.
func TestCardsOfOneKind(t *testing.T) {
	on := func(device, card string) Config {
		c := configOf("adamw", 1)
		c.Device, c.Card = device, card
		return c
	}
	for want, c := range map[string]struct{ was, is Config }{
		"":                                   {on("cuda:0", "A"), on("cuda:3", "A")},
		`device was "A" and is "B"`:          {on("cuda:0", "A"), on("cuda:0", "B")},
		`device was "cuda:0" and is "cuda:1`: {on("cuda:0", ""), on("cuda:1", "A")},
		`device was "cpu" and is "cuda:0"`:   {on("cpu", ""), on("cuda:0", "A")},
	} {
		run := Run{t.TempDir()}
		mustClaim(t, run, c.was)
		_, err := run.Claim(c.is)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	run := Run{t.TempDir()}
	mustClaim(t, run, on("cuda:0", ""))
	if _, err := run.Claim(on("cuda:0", "A")); err != nil {
		t.Errorf("a record of old on the card of its number: %v", err)
	}
}

// A checkpoint goes on only in a run of its own config, wherever its file is copied to.
func TestCheckpointOfAnotherRun(t *testing.T) {
	from := mustClaim(t, Run{t.TempDir()}, configOf("adamw", 1))
	err := from.WriteCheckpoint(Position{Epoch: 0, Batch: 2, Step: 2}, func(io.Writer) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(from.path(checkpointFile))
	if err != nil {
		t.Fatal(err)
	}
	first := append([]byte("diaghess checkpoint 1\n{}\n"), make([]byte, sha256.Size)...)
	sum := sha256.Sum256(first[:len(first)-sha256.Size])
	copy(first[len(first)-sha256.Size:], sum[:])
	for want, change := range map[string]func(*Config){
		"seed was 1 and is 0":          func(c *Config) { c.Seed = 0 },
		"lr of the optimizer was":      func(c *Config) { c.OptimizerSettings["lr"] = "0.2" },
		"optimizer was":                func(c *Config) { c.Optimizer = "adam" },
		"dataset was":                  func(c *Config) { c.Dataset = "mnist" },
		"batch was 64 and is 32":       func(c *Config) { c.Batch = 32 },
		"math was":                     func(c *Config) { c.Math = "tf32" },
		"device was":                   func(c *Config) { c.Device = "emu" },
		"algorithm of out forward was": func(c *Config) { c.Algorithms = map[string]string{"out forward": "y"} },
		"program was":                  func(c *Config) { c.Build.Commit = "d" },
		"of another version":           nil, // which did not name the run
		"":                             func(c *Config) { c.Machine = "another" },
	} {
		config, c := configOf("adamw", 1), content
		if change == nil {
			c = first
		} else {
			change(&config)
		}
		to := mustClaim(t, Run{t.TempDir()}, config)
		if err := os.WriteFile(to.path(checkpointFile), c, 0o644); err != nil {
			t.Fatal(err)
		}
		_, there, err := to.ReadCheckpoint(func(io.Reader) error { return nil })
		if want == "" {
			if !there || err != nil {
				t.Errorf("of the same run: %v, %v", there, err)
			}
		} else if there || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), to.path(checkpointFile)) {
			t.Errorf("want an error with %q and the file, got %v, %v", want, there, err)
		}
	}
}
