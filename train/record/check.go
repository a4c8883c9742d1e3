package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ended reads the record of a run that has ended, and compares its files with each other and
// with the names of its folder.
func (t *tree) ended(final string) (run Ended, wrong Problems) {
	folder := path.Dir(final)
	file := func(name string) string { return path.Join(folder, name) }
	run.Source = t.source(final)
	damaged := func(name string, there bool, problems Problems) bool {
		if !there {
			problems = Problems{{Place: t.source(file(name)), Sentence: "is missing"}}
		}
		wrong = append(wrong, problems...)
		return problems != nil
	}
	there, problems := t.readFile(final, &run.Final)
	badFinal := damaged(finalFile, there, problems)
	there, problems = t.readFile(file(configFile), &run.Config)
	badConfig := damaged(configFile, there, problems)
	run.Epochs, there, problems = t.epochs(file(epochsFile))
	badEpochs := damaged(epochsFile, there, problems)

	add := func(name string, sentences ...string) {
		for _, sentence := range sentences {
			wrong = append(wrong, Problem{Place: t.source(file(name)), Sentence: sentence})
		}
	}
	f, c := &run.Final, &run.Config
	if !badFinal {
		add(finalFile, t.misplaced(folder, Job{Dataset: f.Dataset, Optimizer: f.Optimizer, Seed: f.Seed})...)
	}
	if !badConfig {
		add(configFile, t.misplaced(folder, c.Job)...)
		add(configFile, differing(c, c.implied(), "its other fields")...)
		add(configFile, misquoted(c.Optimizer, c.Rule)...)
	}
	f.complete()
	c.complete()
	run.Settings = leaves(c)
	want := *f
	if !badConfig {
		want = c.Final(f.Status)
		want.Schema, want.Note = f.Schema, f.Note
		if f.Status == Diverged {
			want.DivergedAt = min(f.DivergedAt, c.Steps)
		}
		switch tested := f.Status == Finished && c.TestPictures > 0; {
		case tested && f.Test == nil && !badFinal:
			add(finalFile, "has no field test, but by "+configFile+" the test set was looked at")
		case tested && f.Test != nil:
			want.Test = &TestScore{f.Test.Loss, share(f.Test.Acc, c.TestPictures), f.Test.F1}
		}
	}
	if f.Status == Diverged && f.DivergedAt == 0 && !badFinal {
		add(finalFile, "has the status diverged, but no field diverged_at with the step whose loss was not finite")
	}
	if badEpochs {
		want.Epochs, want.TrainTime, want.ValLoss, want.ValAcc, want.F1, want.BestEpoch = f.Epochs, f.TrainTime, f.ValLoss, f.ValAcc, f.F1, f.BestEpoch
	} else {
		if !badConfig {
			add(epochsFile, c.misshared(run.Epochs)...)
			add(epochsFile, c.mismeasured(run.Epochs)...)
		}
		want.Summarize(run.Epochs)
	}
	if !badConfig && !badEpochs {
		if n := len(run.Epochs); n > c.Epochs || !badFinal && f.Status == Finished && n < c.Epochs {
			add(epochsFile, fmt.Sprintf("has epochs = %d, but by %s it is %d", n, configFile, c.Epochs))
		}
	}
	if !badFinal {
		add(finalFile, differing(f, want, configFile+" and "+epochsFile)...)
	}
	if wrong == nil {
		content, err := t.readAll(final)
		if err == nil {
			run.record, err = t.recordOf(folder, run.Final, run.Epochs, content)
		}
		if err != nil {
			wrong = unreadable(run.Source, err)
		}
	}
	if wrong == nil {
		return run, nil
	}
	return run, wrong.remedied(t.remedy(folder))
}

// share is the share of so many pictures that is next to an accuracy: every accuracy is one.
func share(accuracy float64, pictures int) float64 {
	return math.Round(accuracy*float64(pictures)) / float64(max(1, pictures))
}

// misshared says which accuracies of epochs are no share of the config's pictures, the first
// of each kind.
func (c *Config) misshared(epochs []Epoch) (sentences []string) {
	for _, of := range []struct {
		field, count string
		pictures     int
		accuracy     func(Epoch) float64
	}{
		{"train_acc", "train_pictures", c.TrainPictures, func(e Epoch) float64 { return e.TrainAcc }},
		{"val_acc", "val_pictures", c.ValPictures, func(e Epoch) float64 { return e.ValAcc }},
		{"evaluated_train.acc", "train_pictures", c.TrainPictures, func(e Epoch) float64 {
			if e.EvaluatedTrain == nil {
				return 0
			}
			return e.EvaluatedTrain.Acc
		}},
	} {
		for _, e := range epochs {
			if acc := of.accuracy(e); acc != share(acc, of.pictures) {
				sentences = append(sentences, fmt.Sprintf("has %s = %v in line %d, which is no whole number of the %d %s of %s: the two files do not agree",
					of.field, acc, e.Epoch, of.pictures, of.count, configFile))
				break
			}
		}
	}
	return sentences
}

// mismeasured says which epoch first has more or fewer losses than the config has it.
func (c *Config) mismeasured(epochs []Epoch) []string {
	if c.Schema < 4 {
		return nil
	}
	smooth := c.LabelSmoothing > 0
	for _, e := range epochs {
		for _, of := range []struct {
			field       string
			there, want bool
			setting     string
		}{
			{"train_loss_clean", e.TrainLossClean != nil, smooth, "label_smoothing"},
			{"val_loss_smoothed", e.ValLossSmoothed != nil, smooth, "label_smoothing"},
			{"evaluated_train", e.EvaluatedTrain != nil, c.EvaluateTrain, "evaluate_train"},
			{"evaluated_train.loss_smoothed", e.EvaluatedTrain != nil && e.EvaluatedTrain.LossSmoothed != nil, smooth && c.EvaluateTrain, "label_smoothing"},
		} {
			if of.there != of.want {
				return []string{fmt.Sprintf("has %s in line %d: %t, but by the %s of %s: %t", of.field, e.Epoch, of.there, of.setting, configFile, of.want)}
			}
		}
	}
	return nil
}

// misplaced says where the names of a run's folder are not those of its job, as far as the
// tree has them.
func (t *tree) misplaced(folder string, job Job) []string {
	got := strings.Split(folder, "/")
	got = got[max(0, len(got)-runDepth):]
	if t.archive && folder == "." {
		return nil
	}
	folders := job.folders()
	for _, name := range folders {
		want := strings.Split(filepath.ToSlash(name), "/")
		if t.archive {
			want = want[max(0, len(want)-len(got)):]
		}
		if slices.Equal(got, want) {
			return nil
		}
	}
	return []string{fmt.Sprintf("is of the run %s, but its folder is %s", filepath.ToSlash(folders[0]), path.Join(got...))}
}

// implied is the config with the fields that follow from others as these have it.
func (c Config) implied() Config {
	c.Steps = (c.TrainPictures + c.Batch - 1) / c.Batch * c.Epochs
	c.OptimizerSettings = maps.Clone(c.OptimizerSettings)
	if _, settings, set := strings.Cut(c.Optimizer, ":"); set {
		for setting := range strings.SplitSeq(settings, ",") {
			key, value, _ := strings.Cut(setting, "=")
			c.OptimizerSettings[key] = value
		}
	}
	return c
}

// misquoted says what is wrong with the text of the rule file of an optimizer, of which the name
// has the start of the digest unless the file is part of the program.
func misquoted(optimizer, text string) []string {
	name, _, _ := strings.Cut(optimizer, ":")
	_, digest, own := strings.Cut(name, "@")
	switch {
	case own && text == "":
		return []string{"lacks the text of the rule file of " + name}
	case own && !strings.HasPrefix(Digest([]byte(text)), digest):
		return []string{"has a text of the rule file of " + name + " with another digest: it was changed"}
	}
	return nil
}

// differing says in which fields a value is not what another source says that it is.
func differing(got, want any, source string) (sentences []string) {
	is, err := json.Marshal(got)
	should, also := json.Marshal(want)
	if err == nil && also == nil && bytes.Equal(is, should) {
		return nil // the usual case, and quick
	}
	a, b := leaves(got), leaves(want)
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if a[key] != b[key] {
			sentences = append(sentences, fmt.Sprintf("has %s = %s, but by %s it is %s", key, cmp.Or(a[key], "nothing"), source, cmp.Or(b[key], "nothing")))
		}
	}
	return sentences
}

// problems says in what the runs of a study do not agree with each other and with study.json.
func (c *Content) problems() (wrong Problems) {
	add := func(place, remedy string, sentences ...string) {
		for _, sentence := range sentences {
			wrong = append(wrong, Problem{place, sentence, remedy})
		}
	}
	const again = ": the study command then trains that run again."
	jobs := map[string]Job{}
	for _, job := range c.Jobs {
		jobs[job.String()] = job
	}
	same, arms := map[string]*Ended{}, map[string][]*Ended{} // the first with these results, and all of each optimizer
	for i := range c.Runs {
		run := &c.Runs[i]
		if job, ok := jobs[run.Config.Job.String()]; ok {
			add(filepath.Join(c.Folder, StudyFile), "The study command with the settings of the run writes "+StudyFile+" anew.",
				differing(job, run.Config.Job, run.config())...)
		}
		add(run.config(), "Restore "+TunedFile+" and the run's files from a copy, or delete the run's folder"+again, c.misarmed(run.Config.Job)...)
		if first, ok := same[run.results()]; !ok && len(run.Epochs) > 0 {
			same[run.results()] = run
		} else if ok && first.Final.Seed != run.Final.Seed {
			add(run.Source, "Of runs that are equal, delete the folder of the one that is a copy"+again,
				fmt.Sprintf("is of seed %d, and its epochs equal those of seed %d, %s: two seeds never give the same", run.Final.Seed, first.Final.Seed, first.Source))
		}
		arm := run.Config.Dataset + " " + run.Config.Optimizer
		arms[arm] = append(arms[arm], run)
	}
	for _, arm := range slices.Sorted(maps.Keys(arms)) {
		times := map[string]int{} // how many runs have the same settings; what most have is taken for right
		for _, run := range arms[arm] {
			times[fmt.Sprint(run.Config.OptimizerSettings)]++
		}
		common := slices.MaxFunc(arms[arm], func(a, b *Ended) int {
			return times[fmt.Sprint(a.Config.OptimizerSettings)] - times[fmt.Sprint(b.Config.OptimizerSettings)]
		})
		for _, run := range arms[arm] {
			add(run.config(), "Of runs of one optimizer with different settings, delete the folder of the one whose "+configFile+" is wrong"+again,
				differing(run.Config.OptimizerSettings, common.Config.OptimizerSettings, common.config())...)
		}
	}
	return wrong
}

// misarmed says where a run's arm and tuning are not what the tunings have.
func (c *Content) misarmed(job Job) []string {
	own := TunedOptimizer{Optimizer: job.Arm, Tuning: job.Tuning}.Label()
	switch {
	case (job.Arm == "") != (job.Tuning == 0):
		return []string{fmt.Sprintf("has arm = %q and tuning = %d: both are there or neither", job.Arm, job.Tuning)}
	case job.Tuning == 0:
		return nil
	case job.Seed/SeedStride != job.Tuning-1:
		return []string{fmt.Sprintf("is of tuning %d, and its seed %d is not one of that tuning", job.Tuning, job.Seed)}
	case c.Tuned == nil:
		return nil
	}
	best := "not there"
	for _, o := range c.Tuned.Optimizers {
		if o.Tuning > 0 && o.Label() == own {
			best = o.Best
		}
	}
	if best == job.Optimizer {
		return nil
	}
	return []string{fmt.Sprintf("is of %s, which is %s, but by %s it is %s", own, job.Optimizer, TunedFile, best)}
}

// config is the path of the run's config.json.
func (e *Ended) config() string { return filepath.Join(filepath.Dir(e.Source), configFile) }

// results is what no run from another seed has.
func (e *Ended) results() string {
	epochs := slices.Clone(e.Epochs)
	for i := range epochs {
		epochs[i].Seconds, epochs[i].Parts = 0, nil
	}
	content, _ := json.Marshal(epochs) // finite numbers
	return e.Final.Dataset + string(content)
}

// remedy says what to do about the record of a run. Only of a folder that can be nothing else
// than that of a run it says that it may be deleted.
func (t *tree) remedy(folder string) string {
	name, err := filepath.Abs(t.source(folder))
	entries, unread := fs.ReadDir(t.fs, folder)
	whole := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() || e.Name() == StudyFile })
	switch {
	case t.archive:
		return "Make the archive again from the study's folder."
	case err == nil && unread == nil && !whole && regexp.MustCompile(`^seed-\d+$`).MatchString(filepath.Base(name)):
		return "Restore the files of " + t.source(folder) + " from a copy, or delete that folder: the command that trained this run then trains it again."
	}
	return "Restore the files of " + t.source(folder) + " from a copy, or move them out of there if they are of something else."
}
