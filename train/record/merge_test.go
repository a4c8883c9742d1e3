package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// divideBySeed gives each shard every n-th seed.
func divideBySeed(jobs []Job, n int) ([]int, error) {
	shards := make([]int, len(jobs))
	for i, job := range jobs {
		shards[i] = job.Seed % n
	}
	return shards, nil
}

// jobsOf are two arms from so many seeds.
func jobsOf(seeds int) (jobs []Job) {
	for seed := range seeds {
		jobs = append(jobs, configOf("adamw", seed).Job, configOf("sgd:lr=0.10,momentum=0", seed).Job)
	}
	return jobs
}

// writeShard writes the runs of a shard that are of the seeds given, as a process does, and
// returns the shard's folder. The zero shard is a whole study.
func writeShard(t *testing.T, out string, shard Shard, jobs []Job, seeds ...int) string {
	t.Helper()
	folder := out
	if shard.Of > 0 {
		folder = filepath.Join(out, shard.Folder())
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	ledger, err := OpenLedger(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Plan(jobs, nil, Build{"c", "g", "p"}); err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		if !slices.Contains(seeds, job.Seed) {
			continue
		}
		config := configOf(job.Optimizer, job.Seed)
		config.Job = job
		run := Run{writeRun(t, folder, config)}
		e, _, err := run.Record()
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []Happening{RunStarted, RunEnding, RunEnded} {
			e.Event, e.Run = what, job.Folder()
			if err := ledger.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// threeShards writes a study of six seeds in three shards.
func threeShards(t *testing.T) (out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "study")
	for i := range 3 {
		writeShard(t, out, Shard{i, 3}, jobsOf(6), i, i+3)
	}
	return out
}

func merging(out string, folders ...string) Merging {
	if folders == nil {
		folders = []string{out}
	}
	return Merging{Out: out, Folders: folders, Divide: divideBySeed, Build: Build{"c", "g", "p"}, Settled: time.Nanosecond}
}

// contents are the files of a study without those of its shards, and its ledger by the end of
// its names: "" for the ledger.
func contents(t *testing.T, study string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(study, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && shardFolder.MatchString(entry.Name()) {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		inner, _ := filepath.Rel(study, name)
		files[inner] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A merge makes the files that one process makes, except for the ledger, with the digest of the
// same plan and results; it is sound; and it does nothing the second time.
func TestMerge(t *testing.T) {
	out := threeShards(t)
	whole := writeShard(t, t.TempDir(), Shard{}, jobsOf(6), 0, 1, 2, 3, 4, 5)
	merged, err := Merge(t.Context(), merging(out))
	if err != nil {
		t.Fatal(err)
	}
	if merged.Runs != 12 || merged.Planned != 12 || merged.Of != 3 || merged.Missing != nil || !merged.New || merged.Faults != nil {
		t.Errorf("%+v", merged)
	}
	inLedger := func(name, _ string) bool { return strings.HasPrefix(name, LedgerFolder) }
	got, want := contents(t, out), contents(t, whole)
	maps.DeleteFunc(got, inLedger)
	maps.DeleteFunc(want, inLedger)
	if !maps.Equal(got, want) {
		t.Errorf("files %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for _, study := range []string{out, whole} {
		results, err := ResultsDigest(os.DirFS(study), study)
		if err != nil || results != merged.Results {
			t.Errorf("results of %s %s, %v; the merge has %s", study, results, err, merged.Results)
		}
		if history, faults, remarks, err := CheckLedger(os.DirFS(study), study); err != nil || faults != nil || remarks != nil || history.FirstPlan() == nil {
			t.Errorf("%s: %v %v %v", study, faults, remarks, err)
		}
	}
	if studies := mustRead(t, out); len(studies) != 1 || len(studies[0].Runs) != 12 || studies[0].Missing != nil {
		t.Errorf("%+v", studies)
	}
	before := contents(t, out)
	again, err := Merge(t.Context(), merging(out))
	if err != nil || again.New || again.Results != merged.Results {
		t.Errorf("merged twice: %+v %v", again, err)
	}
	if !maps.Equal(before, contents(t, out)) {
		t.Error("the second merge changed files")
	}
}

func TestMergeGoesOn(t *testing.T) {
	for name, spoil := range map[string]func(out string) error{
		"before the ledger": func(out string) error {
			return errors.Join(os.RemoveAll(filepath.Join(out, LedgerFolder)), os.Remove(filepath.Join(out, StudyFile)))
		},
		"in a run": func(out string) error {
			return os.Remove(filepath.Join(out, "digits", "adamw", "seed-03", finalFile))
		},
		"before the event": func(out string) error {
			files, err := filepath.Glob(filepath.Join(out, LedgerFolder, "*"))
			return errors.Join(err, os.Remove(files[len(files)-1]), os.Remove(filepath.Join(out, StudyFile)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := threeShards(t)
			if _, err := Merge(t.Context(), merging(out)); err != nil {
				t.Fatal(err)
			}
			if err := spoil(out); err != nil {
				t.Fatal(err)
			}
			merged, err := Merge(t.Context(), merging(out))
			if err != nil || !merged.New || merged.Runs != 12 {
				t.Fatalf("%+v, %v", merged, err)
			}
			if _, faults, _, err := CheckLedger(os.DirFS(out), out); err != nil || faults != nil {
				t.Errorf("%v %v", faults, err)
			}
		})
	}
}

// A shard without its ledger is merged, and it is said which runs came from elsewhere.
func TestMergeTellsOfLedgers(t *testing.T) {
	out := threeShards(t)
	if err := os.RemoveAll(filepath.Join(out, Shard{1, 3}.Folder(), LedgerFolder)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing is new
		merged, err := Merge(t.Context(), merging(out))
		if err != nil {
			t.Fatal(err)
		}
		if got := merged.Faults.Error(); len(merged.Faults) != 4 || strings.Count(got, "seed-01 is not in the ledger: it came from elsewhere") != 2 {
			t.Errorf("faults %s", got)
		}
	}
}

// A study without all of its runs is merged on request, says so when it is read, and is completed
// later, also by a shard that went on.
func TestMergePartially(t *testing.T) {
	out := filepath.Join(t.TempDir(), "study")
	jobs := jobsOf(6)
	writeShard(t, out, Shard{0, 3}, jobs, 0, 3)
	writeShard(t, out, Shard{1, 3}, jobs, 1)
	if _, err := Read(out); err == nil || !strings.Contains(err.Error(), "holds 2 of 3 shards of a study that are not merged (missing: 2/3)") {
		t.Errorf("read before the merge: %v", err)
	}
	m := merging(out)
	_, err := Merge(t.Context(), m)
	for _, want := range []string{"shard 1/3: 2 of its 4 runs have not ended", "shard 2/3: its folder is not there"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v, want %s", err, want)
		}
	}
	m.Partial = true
	begins := filepath.Join(out, Shard{2, 3}.Folder()) // the plan is the first file of a shard
	if err := errors.Join(os.Mkdir(begins, 0o777), planOf().Write(filepath.Join(begins, PlanFile))); err != nil {
		t.Fatal(err)
	}
	merged, err := Merge(t.Context(), m)
	err = errors.Join(err, os.RemoveAll(begins))
	if err != nil || !slices.Equal(merged.Missing, []string{"1/3", "2/3"}) || merged.Runs != 6 {
		t.Fatalf("%+v, %v", merged, err)
	}
	if studies := mustRead(t, out); !slices.Equal(studies[0].Missing, merged.Missing) || len(studies[0].Runs) != 6 {
		t.Errorf("%+v", studies)
	}
	if err := errors.Join(CheckShard(out, "", Shard{1, 3}, nil), CheckFolder(t.Context(), filepath.Join(out, Shard{1, 3}.Folder()), false)); err != nil {
		t.Errorf("a shard after a merge: %v", err)
	}
	writeShard(t, out, Shard{1, 3}, jobs, 4)
	writeShard(t, out, Shard{2, 3}, jobs, 2, 5)
	m.Partial = false
	merged, err = Merge(t.Context(), m)
	if err != nil || merged.Missing != nil || merged.Runs != 12 {
		t.Fatalf("%+v, %v", merged, err)
	}
	if studies := mustRead(t, out); studies[0].Missing != nil || studies[0].Ledger != nil {
		t.Errorf("%+v", studies)
	}
}

func TestMergeRefuses(t *testing.T) {
	rewrite := func(path, old, now string) error {
		content, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(content, []byte(old)) {
			err = errors.New(path + " has no " + old)
		}
		return errors.Join(err, os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(now)), 0o666))
	}
	for name, c := range map[string]struct {
		spoil func(out, other string) error // the study, and an empty folder
		want  string
	}{
		"other options": {func(out, _ string) error {
			folder := writeShard(t, out, Shard{2, 3}, jobsOf(9), 2, 5, 8)
			return os.RemoveAll(filepath.Join(folder, LedgerFolder))
		}, "study.json lists other runs (12, and 18 here)"},
		"another program": {func(out, _ string) error {
			for i, commit := range []string{"one", "one", "two"} {
				plan := planOf()
				plan.Build.Commit = commit
				if err := plan.Write(filepath.Join(out, Shard{i, 3}.Folder(), PlanFile)); err != nil {
					return err
				}
			}
			return nil
		}, "plan.json has build.commit = one, and two here"},
		"another division": {func(out, _ string) error {
			return os.Mkdir(filepath.Join(out, Shard{0, 4}.Folder()), 0o777)
		}, "shards of one division can be merged"},
		"a renamed folder": {func(out, _ string) error {
			return errors.Join(os.RemoveAll(filepath.Join(out, Shard{1, 3}.Folder())),
				os.CopyFS(filepath.Join(out, Shard{1, 3}.Folder()), os.DirFS(filepath.Join(out, Shard{0, 3}.Folder()))))
		}, "is not a run of shard 1/3"},
		"another device": {func(out, _ string) error {
			return rewrite(filepath.Join(out, Shard{1, 3}.Folder(), "digits", "adamw", "seed-01", configFile), `"device": "cpu"`, `"device": "emu"`)
		}, "the runs are of different devices"},
		"a damaged record": {func(out, _ string) error {
			return rewrite(filepath.Join(out, Shard{1, 3}.Folder(), "digits", "adamw", "seed-01", finalFile), `"status"`, `"stat"`)
		}, "has no field status"},
		"a copy with other results": {func(out, other string) error {
			copied := filepath.Join(other, Shard{1, 3}.Folder())
			run := filepath.Join(copied, "digits", "adamw", "seed-01")
			return errors.Join(os.CopyFS(copied, os.DirFS(filepath.Join(out, Shard{1, 3}.Folder()))),
				rewrite(filepath.Join(run, epochsFile), `"f1":0.75`, `"f1":0.7`), rewrite(filepath.Join(run, finalFile), `"f1": 0.75`, `"f1": 0.7`))
		}, "are of the same run, and differ (results are not equal)"},
		"a copy with another ledger": {func(out, other string) error {
			copied := filepath.Join(other, Shard{1, 3}.Folder())
			if err := os.CopyFS(copied, os.DirFS(filepath.Join(out, Shard{1, 3}.Folder()))); err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(copied, LedgerFolder, "*"))
			return errors.Join(err, rewrite(files[0], `"ended"`, `"found"`))
		}, "one of them was changed"},
		"a study without shards": {func(out, _ string) error {
			writeShard(t, out, Shard{}, jobsOf(6), 0)
			return nil
		}, "holds a study that is not merged from shards"},
		"no list of runs": {func(out, _ string) error {
			return os.Remove(filepath.Join(out, Shard{1, 3}.Folder(), StudyFile))
		}, "has runs and no study.json"},
		"a file for a folder": {func(out, _ string) error {
			folder := filepath.Join(out, Shard{1, 3}.Folder())
			return errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o666))
		}, filepath.Join("study", Shard{1, 3}.Folder())},
		"a file for a ledger": {func(out, _ string) error {
			ledger := filepath.Join(out, Shard{1, 3}.Folder(), LedgerFolder)
			return errors.Join(os.RemoveAll(ledger), os.WriteFile(ledger, nil, 0o666))
		}, filepath.Join(Shard{1, 3}.Folder(), LedgerFolder) + " cannot be read: not a directory"},
		"a cut plan": {func(out, _ string) error {
			plan := filepath.Join(out, Shard{1, 3}.Folder(), PlanFile)
			return errors.Join(planOf().Write(plan), os.Truncate(plan, 40))
		}, filepath.Join(Shard{1, 3}.Folder(), PlanFile) + " is damaged: it ends in the middle"},
		"a plan of one": {func(out, _ string) error {
			return planOf().Write(filepath.Join(out, Shard{1, 3}.Folder(), PlanFile))
		}, Shard{1, 3}.Folder() + " is not of the study that "},
		"a foreign file": {func(out, _ string) error {
			return os.WriteFile(filepath.Join(out, "metrics.csv"), []byte("mine"), 0o666)
		}, "would replace (metrics.csv)"},
		"no shard": {func(out, _ string) error { return os.RemoveAll(out) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			out, other := threeShards(t), t.TempDir()
			if err := c.spoil(out, other); err != nil {
				t.Fatal(err)
			}
			folders := []string{out}
			if entries, _ := os.ReadDir(other); len(entries) > 0 {
				folders = append(folders, other)
			}
			before := map[string]string{}
			if _, err := os.Stat(out); err == nil {
				before = contents(t, out)
			}
			m := merging(out, folders...)
			locked := false
			m.Lock = func() (func() error, error) { locked = true; return func() error { return nil }, nil }
			_, err := Merge(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			if locked != (name == "a study without shards") {
				t.Errorf("the study's folder was made and locked: %v", locked)
			}
			if strings.HasPrefix(name, "a copy") && !(strings.Contains(err.Error(), out) && strings.Contains(err.Error(), other)) {
				t.Errorf("the error does not name both: %v", err)
			}
			if len(before) > 0 && !maps.Equal(before, contents(t, out)) {
				t.Error("the refused merge changed files")
			}
		})
	}
}

// The cards of one machine count as one device, those of another do not.
func TestMergeCards(t *testing.T) {
	out := threeShards(t)
	configs, err := filepath.Glob(filepath.Join(out, "*", "digits", "*", "*", configFile))
	if err != nil || len(configs) != 12 {
		t.Fatalf("%d configs, %v", len(configs), err)
	}
	spoil := func(i int, old, now string) {
		content, err := os.ReadFile(configs[i])
		if err == nil && !bytes.Contains(content, []byte(old)) {
			err = fmt.Errorf("%s has no %s", configs[i], old)
		}
		if err := errors.Join(err, os.WriteFile(configs[i], bytes.ReplaceAll(content, []byte(old), []byte(now)), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range configs {
		spoil(i, `"device": "cpu"`, fmt.Sprintf(`"device": "cuda:%d", "card": "A"`, i%4))
	}
	if merged, err := Merge(t.Context(), merging(out, out)); err != nil || merged.Runs != 12 {
		t.Errorf("%+v, %v", merged, err)
	}
	spoil(7, `"machine": "`, `"machine": "another `)
	if _, err := Merge(t.Context(), merging(out, out)); err == nil || !strings.Contains(err.Error(), "different devices") {
		t.Errorf("a card of another machine: error %v", err)
	}
}

// planOf is a plan of the jobs of jobsOf(6).
func planOf() Plan {
	return Plan{Schema: Schema, Build: Build{"c", "g", "p"}, Datasets: []string{"digits"}, Optimizers: []string{"adamw", "sgd:lr=0.10,momentum=0"},
		Seeds: []int{0, 1, 2, 3, 4, 5}, Settings: leaves(configOf("adamw", 0).Settings), Metric: DefaultMetric, Test: PlannedTest}
}

// A copy of a shard collapses with it, also where the copy has other times; so do devices with
// Mixed.
func TestMergeCollapses(t *testing.T) {
	out, other := threeShards(t), t.TempDir()
	slower := filepath.Join(other, Shard{1, 3}.Folder())
	writeShard(t, other, Shard{1, 3}, jobsOf(6), 1, 4)
	again := filepath.Join(other, "copy", Shard{0, 3}.Folder())
	if err := os.CopyFS(again, os.DirFS(filepath.Join(out, Shard{0, 3}.Folder()))); err != nil {
		t.Fatal(err)
	}
	run := Run{filepath.Join(slower, "digits", "adamw", "seed-01")}
	epochs, err := run.Epochs()
	if err != nil {
		t.Fatal(err)
	}
	final, _, err := run.Final()
	if err != nil {
		t.Fatal(err)
	}
	for i := range epochs {
		epochs[i].Seconds *= 7
	}
	final.Summarize(epochs)
	ledger, err := OpenLedger(slower)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(run.WriteEpochs(epochs), run.Finish(final, func(what Happening, e Event) error {
		e.Event, e.Run = what, "digits/adamw/seed-01"
		return ledger.Add(e)
	}), ledger.Close())
	if err != nil {
		t.Fatal(err)
	}
	m := merging(out, slower, out, filepath.Dir(again))
	merged, err := Merge(t.Context(), m)
	if err != nil || merged.Runs != 12 {
		t.Fatalf("%+v, %v", merged, err)
	}
	if _, faults, _, err := CheckLedger(os.DirFS(out), out); err != nil || faults != nil {
		t.Errorf("%v %v", faults, err)
	}
}

func TestShards(t *testing.T) {
	for text, want := range map[string]string{"3/3": "the last of 3 is 2/3", "-1/3": "numbered from 0", "1": "such as 2/16", "0/0": "1 to 10000 shards", "x/2": "such as 2/16", "1/2/3": "such as 2/16"} {
		if _, err := ParseShard(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for name, ok := range map[string]bool{"shard-02-of-16": true, "shard-2-of-16": false, "shard-3-of-3": false, "shard-0-of-1": true, "shard-0-of-3-copy": false} {
		if _, got := shardOf(name); got != ok {
			t.Errorf("%s: %t", name, got)
		}
	}
	jobs := jobsOf(6)
	plan, err := PlanFiles(jobs, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := PlanFiles(jobs[:6], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rate := slices.Clone(jobs)
	rate[1].Optimizer = "sgd:lr=0.2,momentum=0"
	another, err := PlanFiles(rate, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := threeShards(t)
	whole, alone := t.TempDir(), t.TempDir()
	writeShard(t, whole, Shard{}, jobs, 0)
	inner := writeShard(t, alone, Shard{1, 3}, jobs, 1)
	for _, c := range []struct {
		folder string
		shard  Shard
		plan   map[string][]byte
		want   string
	}{
		{out, Shard{1, 3}, plan, ""},
		{out, Shard{1, 4}, plan, "all shards of a study are of one division"},
		{out, Shard{1, 3}, other, "study.json lists other runs (12, and 6 here)"},
		{out, Shard{1, 3}, another, "number 2 has optimizer = sgd:lr=0.10,momentum=0, and sgd:lr=0.2,momentum=0 here"},
		{alone, Shard{1, 3}, plan, ""},
		{alone, Shard{1, 3}, other, "shard-1-of-3 is of another study"},
		{alone, Shard{0, 3}, other, "is of another study than this shard"},
		{inner, Shard{1, 3}, plan, "is the folder of shard 1/3"},
		{whole, Shard{1, 3}, plan, "begun without shards"},
		{filepath.Join(out, "new"), Shard{1, 3}, plan, ""},
	} {
		if err := CheckShard(c.folder, "", c.shard, c.plan); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %s", c.folder, c.shard, err, c.want)
		}
	}
	if err := CheckMerged(out); err == nil || !strings.Contains(err.Error(), "merge them") {
		t.Error(err)
	}
	_, err = Merge(t.Context(), merging(inner, out))
	for _, err := range []error{CheckMerged(inner), err} {
		if err == nil || !strings.Contains(err.Error(), "is the folder of shard 1/3") {
			t.Error(err)
		}
	}
}

// late is a file system of several machines: a first look takes a while, and at it a
// shard is as it was some time ago, without its last record and with half of its ledger.
type late struct {
	fs.FS
	first bool
}

func (l late) hidden(name string) bool {
	return l.first && path.Base(name) == finalFile && strings.Contains(name, "sgd")
}

func (l late) Open(name string) (fs.File, error) {
	if l.first && path.Dir(name) == LedgerFolder {
		time.Sleep(time.Millisecond)
	}
	if l.hidden(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	file, err := l.FS.Open(name)
	if info, statErr := fs.Stat(l.FS, name); l.first && err == nil && statErr == nil && path.Dir(name) == LedgerFolder {
		return &cut{file, io.LimitReader(file, info.Size()/2)}, nil
	}
	return file, err
}

func (l late) Stat(name string) (fs.FileInfo, error) {
	if l.hidden(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(l.FS, name)
}

func (l late) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(l.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return l.hidden(path.Join(name, e.Name())) }), err
}

// cut is a file of which only a part is there.
type cut struct {
	fs.File
	part io.Reader
}

func (c *cut) Read(p []byte) (int, error) { return c.part.Read(p) }

// A thousand shards are merged from a slow file system that shows what was written late.
func TestMergeLate(t *testing.T) {
	shards := 1000
	if testing.Short() {
		shards = 50
	}
	jobs := jobsOf(shards)
	out, model := filepath.Join(t.TempDir(), "study"), t.TempDir()
	for _, job := range jobs {
		writeUnsynced(t, model, configOf(job.Optimizer, job.Seed))
	}
	if err := WriteStudy(model, jobs); err != nil {
		t.Fatal(err)
	}
	for i := range shards { // copies are written faster than records, which are synced
		copyShard(t, model, out, Shard{i, shards}, jobs)
	}
	var mutex sync.Mutex
	looks := map[string]int{}
	m := merging(out)
	m.Settled = time.Hour
	waited := 0
	m.Waiting = func(string) { waited++ }
	m.open = func(folder string) fs.FS {
		mutex.Lock()
		defer mutex.Unlock()
		looks[folder]++
		return late{os.DirFS(folder), folder != out && looks[folder] == 1}
	}
	merged, err := Merge(t.Context(), m)
	if err != nil || merged.Runs != 2*shards || waited != 1 {
		t.Fatalf("%+v, %v, waited %d times", merged, err, waited)
	}
	want, err := ResultsDigest(os.DirFS(model), model)
	if err != nil || want != merged.Results {
		t.Errorf("results %s, want %s, %v", merged.Results, want, err)
	}
	if _, faults, _, err := CheckLedger(os.DirFS(out), out); err != nil || faults != nil {
		t.Errorf("%v %v", faults, err)
	}
}

// writeUnsynced is writeRun without waiting for the disk.
func writeUnsynced(t *testing.T, study string, config Config) {
	t.Helper()
	config.Schema = Schema
	folder := filepath.Join(study, config.Folder())
	epochs := []Epoch{{Epoch: 1, TrainLoss: float64(config.Seed), ValAcc: 0.5}, {Epoch: 2, TrainLoss: float64(len(config.Optimizer)), ValAcc: 0.5}}
	final := config.Final(Finished)
	final.Test = &TestScore{}
	final.Summarize(epochs)
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	configText, configErr := encode(config)
	finalText, finalErr := encode(final)
	err := errors.Join(configErr, finalErr, encoder.Encode(epochs[0]), encoder.Encode(epochs[1]), os.MkdirAll(folder, 0o777),
		os.WriteFile(filepath.Join(folder, configFile), configText, 0o666), os.WriteFile(filepath.Join(folder, epochsFile), lines.Bytes(), 0o666),
		os.WriteFile(filepath.Join(folder, finalFile), finalText, 0o666))
	if err != nil {
		t.Fatal(err)
	}
}

// copyShard makes a shard of the runs that another study has, with a ledger of its own.
func copyShard(t *testing.T, model, out string, shard Shard, jobs []Job) {
	t.Helper()
	folder := filepath.Join(out, shard.Folder())
	now := time.Now().UTC()
	events := []Event{{Schema: Schema, Time: now, Event: StudyPlanned, Plan: "of the model"}}
	for _, job := range jobs {
		if job.Seed%shard.Of != shard.Index {
			continue
		}
		if err := bring(filepath.Join(model, job.Folder()), filepath.Join(folder, job.Folder())); err != nil {
			t.Fatal(err)
		}
		e, _, err := RunOf(folder, job).Record()
		if err != nil {
			t.Fatal(err)
		}
		e.Event, e.Run, e.Time = RunEnded, job.Folder(), now
		events = append(events, e)
	}
	var lines bytes.Buffer
	last := ""
	for _, e := range events {
		e.Previous = last
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		last = Digest(line)
		lines.Write(append(line, '\n'))
	}
	name := now.Format("20060102T150405.000000") + "-" + last[:8] + ".jsonl"
	err := errors.Join(os.Mkdir(filepath.Join(folder, LedgerFolder), 0o777),
		os.WriteFile(filepath.Join(folder, LedgerFolder, name), lines.Bytes(), 0o666),
		os.Link(filepath.Join(model, StudyFile), filepath.Join(folder, StudyFile)))
	if err != nil {
		t.Fatal(err)
	}
}
