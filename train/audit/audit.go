package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
)

// Options say what to audit.
type Options struct {
	Study string // its folder
	Data  data.Shelf
	// Datasets are the names of sets that were opened on the shelf: a run is repeated on that of
	// them which has its rows, whatever the file is called now.
	Datasets []string
	// Runs is how many sampled runs are repeated; 0 repeats none. More than there are is an error.
	Runs int
	// Steps, if above 0, repeats a part of each sampled run: so many steps, rounded up to whole
	// epochs, from its beginning or from a checkpoint that was kept.
	Steps int
	Seed  uint64 // of the sampling
	// Shard repeats every so many of the sampled runs only, so that several machines repeat all
	// that one Seed samples; the zero value repeats all.
	Shard record.Shard
	// Plan, if not empty, is the digest that was deposited when the study began, see
	// record.PlanDigest.
	Plan    string
	Threads int // of a run on the cpu; 0 for all processors
}

// Outcome says what a repetition found.
type Outcome string

const (
	Equal     Outcome = "equal"               // bit-identical
	Different Outcome = "different"           // in numbers that the same program and machine should repeat
	Elsewhere Outcome = "not comparable here" // another program, processor family, library or card made the run
)

// Repetition is a run, or a part of one, that was trained again.
type Repetition struct {
	Run     string  `json:"run"`  // its folder in the study's, with slashes
	From    int     `json:"from"` // epochs before the part
	To      int     `json:"to"`   // epochs to its end
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // what differs, or why it is not comparable
}

func (r Repetition) String() string {
	part := "no whole epoch"
	if r.From < r.To {
		part = fmt.Sprintf("epochs %d to %d", r.From+1, r.To)
	}
	s := fmt.Sprintf("%s, %s: %s", r.Run, part, r.Outcome)
	if r.Why != "" {
		s += ": " + r.Why
	}
	return s
}

// Report is what an audit found.
type Report struct {
	Study       string          `json:"study"`           // digest of all files that count, see record.StudyDigest
	Runs        int             `json:"runs"`            // that have ended
	Results     string          `json:"results"`         // see record.ResultsDigest
	Shard       string          `json:"shard,omitempty"` // of the sampled runs, that were repeated
	Plan        string          `json:"plan"`            // digest of the plan that the first run was made under; empty without one
	Faults      record.Problems `json:"faults"`
	Remarks     []string        `json:"remarks"`
	Seed        uint64          `json:"seed"`
	Repetitions []Repetition    `json:"repetitions"`
	Machines    []string        `json:"machines"` // where they were repeated
	Build       record.Build    `json:"build"`
}

// Sound says whether nothing wrong was found.
func (r *Report) Sound() bool {
	return len(r.Faults) == 0 && !slices.ContainsFunc(r.Repetitions, func(r Repetition) bool { return r.Outcome == Different })
}

// Quote returns one line about the audit that can be quoted.
func (r *Report) Quote() string {
	count := map[Outcome]int{}
	epochs := 0
	for _, p := range r.Repetitions {
		count[p.Outcome]++
		if p.Outcome != Elsewhere {
			epochs += p.To - p.From
		}
	}
	var parts []string
	for _, o := range []Outcome{Equal, Different, Elsewhere} {
		if count[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[o], o))
		}
	}
	what := "nothing repeated"
	if parts != nil {
		what = fmt.Sprintf("%d sampled (seed %d), %s repeated: %s", len(r.Repetitions), r.Seed, record.Plural(epochs, "epoch"), strings.Join(parts, ", "))
		if r.Machines != nil {
			what += ", on " + strings.Join(r.Machines, " and ")
		}
		if r.Shard != "" {
			what += ", shard " + r.Shard + " of the sample"
		}
	}
	verdict := "its files fit together"
	if len(r.Faults) > 0 {
		verdict = record.Plural(len(r.Faults), "fault") + " in its files"
	}
	return fmt.Sprintf("audit of study %s, %s: %s; %s; diaghess %s %s", r.Study, record.Plural(r.Runs, "run"), verdict, what, train.Version(), r.Build)
}

// Observer is told how an audit goes.
type Observer interface {
	// Repeating is called before a run is trained again.
	Repeating(run string)
	// Epoch is called after an epoch of it.
	Epoch(epoch, of int)
	// Repeated is called after it.
	Repeated(Repetition)
}

// Run audits a study: all files against each other, and sampled runs against what this
// program computes on this machine. What is wrong with the study is in the report. An error
// means that the audit could not be made, or was interrupted. Then the report is nil, or has
// what was found until then.
func Run(ctx context.Context, o Options, observer Observer) (*Report, error) {
	study := os.DirFS(o.Study)
	r := &Report{Seed: o.Seed, Build: train.ThisBuild(), Faults: record.Problems{}, Remarks: []string{}, Repetitions: []Repetition{}}
	ended, begun, err := record.Runs(study, o.Study)
	if err != nil {
		return nil, err
	}
	r.Runs = len(ended)
	past, err := record.ReadLedger(study, o.Study)
	if err != nil {
		return nil, err
	}
	// Runs that are gone are faults.
	known := slices.ContainsFunc(past.Events, func(e record.Event) bool { return e.Event == record.RunEnded })
	switch {
	case len(begun) == 0 && !known:
		return nil, fmt.Errorf("%s has no run of a study: name the folder of one, with study.json in it", o.Study)
	case o.Runs < 0 || o.Runs > r.Runs:
		return nil, fmt.Errorf("%d runs to repeat: the study has %d that have ended", o.Runs, r.Runs)
	case o.Shard.Of > 1 && o.Shard.Of > o.Runs:
		return nil, fmt.Errorf("%s of %s to repeat: use at most %d shards, or repeat more with --runs", record.Plural(o.Shard.Of, "shard"), record.Plural(o.Runs, "run"), o.Runs)
	case o.Steps < 0:
		return nil, fmt.Errorf("%d steps to repeat: give at least 1, or 0 for whole runs", o.Steps)
	case o.Plan != "" && !planDigest.MatchString(o.Plan):
		return nil, fmt.Errorf("the plan %s is no digest: give the 64 digits that study printed", o.Plan)
	}
	if r.Study, err = record.StudyDigest(study); err != nil {
		return nil, err
	}
	if r.Results, err = record.ResultsDigest(study, o.Study); err != nil && !errors.As(err, new(record.Problems)) {
		return nil, err // a damaged record is among the faults
	}
	if o.Shard.Of > 0 {
		r.Shard = o.Shard.String()
	}
	history, faults, remarks, err := record.CheckLedger(study, o.Study)
	if err != nil {
		return nil, err
	}
	r.Faults, r.Remarks = append(r.Faults, record.CheckStudy(study, o.Study)...), append(r.Remarks, remarks...)
	r.Faults = append(r.Faults, faults...)
	for _, run := range begun {
		claimed, err := runIn(o.Study, run).Recorded()
		if err == nil { // else it has been told
			r.Faults = append(r.Faults, claimed.CheckCheckpoints()...)
		}
	}
	if open := len(begun) - len(ended); open > 0 {
		r.Remarks = append(r.Remarks, "of the runs that began, "+fmt.Sprint(open)+" did not end")
	}
	r.checkPlan(o, history)

	rand.New(rand.NewPCG(o.Seed, 0)).Shuffle(len(ended), func(i, j int) { ended[i], ended[j] = ended[j], ended[i] })
	for i, run := range ended[:o.Runs] {
		if o.Shard.Of > 0 && i%o.Shard.Of != o.Shard.Index {
			continue
		}
		random := rand.New(rand.NewPCG(o.Seed, uint64(i)+1))
		if observer != nil {
			observer.Repeating(run)
		}
		p, machine, err := o.repeat(ctx, run, random, observer)
		if err != nil {
			return r, fmt.Errorf("repeat %s: %w", run, err)
		}
		if machine != "" && p.Outcome != Elsewhere && !slices.Contains(r.Machines, machine) {
			r.Machines = append(r.Machines, machine)
		}
		r.Repetitions = append(r.Repetitions, p)
		if observer != nil {
			observer.Repeated(p)
		}
	}
	return r, nil
}

var planDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// runIn is a run's folder, by its name in a study's.
func runIn(study, run string) record.Run {
	return record.Run{Folder: filepath.Join(study, filepath.FromSlash(run))}
}

// checkPlan compares a deposited plan with the ledger.
func (r *Report) checkPlan(o Options, history record.History) {
	planned := map[string]bool{}
	for _, e := range history.Events {
		planned[e.Plan] = e.Event == record.StudyPlanned
	}
	if first := history.FirstPlan(); first != nil {
		r.Plan = first.Plan
	} else if len(history.Events) > 0 {
		r.Faults = append(r.Faults, record.Problem{Place: o.Study, Sentence: "has a ledger in which a run began before the first plan"})
	}
	switch {
	case o.Plan == "" || o.Plan == r.Plan:
	case planned[o.Plan]:
		r.Remarks = append(r.Remarks, "the deposited plan is in the ledger, but the first run was made under another")
	default:
		r.Faults = append(r.Faults, record.Problem{Place: o.Study, Sentence: fmt.Sprintf("does not have the deposited plan %s in its ledger, where that of the first run is %s", o.Plan, cmp.Or(r.Plan, "missing"))})
	}
}

// follow tells an observer of the epochs of a repeated run.
type follow struct {
	train.Silent
	observer Observer
	of       int
}

func (f follow) Epoch(e record.Epoch) {
	if f.observer != nil {
		f.observer.Epoch(e.Epoch, f.of)
	}
}

// repeat trains a run, or a part of it, and compares it with its record. An error is that of an
// interruption.
func (o *Options) repeat(ctx context.Context, name string, random *rand.Rand, observer Observer) (p Repetition, machine string, err error) {
	p = Repetition{Run: name, Outcome: Elsewhere}
	run, err := runIn(o.Study, name).Recorded()
	config := run.Config()
	final, _, finalErr := run.Final()
	epochs, epochsErr := run.Epochs()
	p.To = len(epochs)
	if err := errors.Join(err, finalErr, epochsErr); err != nil {
		p.Why = "its record is damaged"
		return p, "", nil
	}
	// What this very program recorded, it can do again.
	if config.Build == train.ThisBuild() {
		p.Outcome = Different
	}
	rule, err := ruleOf(config)
	dataset := config.Dataset
	if err == nil && !maps.Equal(optim.Settings(rule), config.OptimizerSettings) {
		err = fmt.Errorf("this program's optimizer %s has other settings", config.Optimizer)
	}
	if err == nil {
		if dataset, err = o.findDataset(ctx, config, rule); err != nil && config.Data != nil {
			p.Outcome = Elsewhere // its rows are not here
		}
	}
	if err == nil && config.Device == "cpu" && !slices.Contains(cpu.Libraries(), library(config)) {
		if library(config) != "" {
			p.Outcome = Elsewhere // of another processor
		}
		err = fmt.Errorf("this program has no library %q for convolutions here", library(config))
	}
	if err != nil {
		p.Why = err.Error()
		return p, "", nil
	}
	err = o.train(ctx, &p, run, rule, dataset, final, epochs, random, follow{observer: observer, of: config.Epochs}, &machine)
	if ctx.Err() != nil {
		return p, "", context.Cause(ctx)
	}
	if err != nil {
		p.Outcome, p.Why = Elsewhere, err.Error()
	}
	return p, machine, nil
}

// findDataset returns the name on the shelf of a run's dataset, or why the run cannot be trained
// again on it. A set that is not in the catalogue is read from where it was, unless it is on the
// shelf, under any name.
func (o *Options) findDataset(ctx context.Context, config record.Config, rule optim.Rule) (name string, err error) {
	name = config.Dataset
	set, err := o.Data.Describe(name)
	if err != nil && config.Data != nil {
		if name, err = o.sameRows(ctx, config); err != nil {
			return "", err
		}
		set, err = o.Data.Describe(name)
	}
	if err != nil {
		return "", err
	}
	return name, train.Check(config.Settings, set, []optim.Rule{rule})
}

// sameRows returns the name of the set that has a run's rows, split and scaling: of those that were
// named, or else the one that is where the run's was.
func (o *Options) sameRows(ctx context.Context, config record.Config) (string, error) {
	remedy := "name where it is with --datasets"
	for _, name := range o.Datasets {
		origin := (*record.Origin)(o.Data.Origin(name))
		if origin == nil {
			continue
		}
		now := *origin
		if now.Source = config.Data.Source; now == *config.Data {
			return name, nil
		}
		remedy = fmt.Sprintf("and %s, of --datasets, has other rows, or another split or scaling", name)
	}
	name, err := o.Data.Open(ctx, config.Data.Source, data.Options{})
	if err != nil {
		return "", fmt.Errorf("%w; %s", err, remedy)
	}
	if name != config.Dataset {
		return "", fmt.Errorf("the dataset %s is %s now, so its content has changed: name the one that was used with --datasets", config.Dataset, name)
	}
	return name, nil
}

// ruleOf returns the optimizer of a run, from the text of its rule file that the record has.
func ruleOf(config record.Config) (optim.Rule, error) {
	texts := optim.Texts{}
	if config.Rule != "" {
		name, _ := optim.Split(config.Optimizer)
		texts[name] = config.Rule
	}
	return texts.Parse(config.Optimizer)
}

// train repeats a run and sets the outcome. Errors are those of this machine.
func (o Options) train(ctx context.Context, p *Repetition, run record.Claimed, rule optim.Rule, dataset string, final record.Final, epochs []record.Epoch, random *rand.Rand, watch train.Watcher, machine *string) (err error) {
	config := run.Config()
	name := config.Device
	if config.Card != "" {
		name = devices.OfKind(name, config.Card)
	}
	device, err := devices.Open(devices.Options{Name: name, Threads: o.Threads, Library: library(config), Math: config.Math})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	set, err := train.Load(ctx, o.Data, dataset)
	if err != nil {
		return err
	}
	resident, err := train.MakeResident(stream, set)
	if err != nil {
		return err
	}
	trainer, err := train.New(stream, resident, train.NewJob(config.Settings, dataset, rule, config.Seed))
	if err != nil {
		return err
	}
	trainer.ValidationOnly = final.Test == nil
	if o.Steps > 0 {
		if err := o.choose(p, run, trainer, random); err != nil {
			return err
		}
	}
	again, err := trainer.Train(ctx, nil, watch)
	if err != nil {
		return err
	}
	again.Dataset = config.Dataset // which has these rows
	*machine = device.Name() + ": " + device.Description()
	p.Outcome = Equal
	if p.Why = compare(*p, trainer, again, epochs, final); p.Why == "" {
		p.Why, err = compareCheckpoint(p.To, run, trainer)
	}
	if p.Why != "" {
		p.Outcome = Different
		now := trainer.Config()
		now.Dataset, now.Data = config.Dataset, config.Data // whose rows it has
		now.Build = train.ThisBuild()
		if elsewhere := config.Differences(now); elsewhere != nil {
			p.Outcome, p.Why = Elsewhere, strings.Join(elsewhere, "; ")
		}
	}
	return err
}

// library returns the cpu's library that a run used, by its algorithms: all are of one.
func library(c record.Config) string {
	if c.Device != "cpu" {
		return ""
	}
	for _, name := range c.Algorithms {
		return cpu.LibraryOf(name)
	}
	return ""
}

// choose samples the part of a run to repeat, and brings the trainer to its beginning.
func (o Options) choose(p *Repetition, run record.Claimed, trainer *train.Trainer, random *rand.Rand) error {
	kept, err := run.Kept()
	if err != nil {
		return err
	}
	starts := []int{0}
	for _, epochs := range kept {
		_, err := run.ReadKept(epochs, func(tensors io.Reader) error { _, err := io.Copy(io.Discard, tensors); return err })
		if epochs < p.To && err == nil { // an unusable one is among the faults
			starts = append(starts, epochs)
		}
	}
	p.From = starts[random.IntN(len(starts))]
	if p.From > 0 {
		if trainer.Position, err = run.ReadKept(p.From, trainer.ReadTensors); err != nil {
			return err
		}
	}
	each := max(1, trainer.Config().Steps/trainer.Config().Epochs) // steps per epoch
	to := p.From + (o.Steps+each-1)/each
	if to < p.To {
		p.To, trainer.Until = to, to
	}
	return nil
}

// compare says in what a repetition differs from the record, or nothing.
func compare(p Repetition, trainer *train.Trainer, again record.Final, epochs []record.Epoch, final record.Final) string {
	if len(trainer.Epochs) != p.To {
		return fmt.Sprintf("it %s after %d epochs, and the record has %d", again.Status, len(trainer.Epochs), p.To)
	}
	for i := p.From; i < p.To; i++ {
		if difference := record.Different(epochs[i], trainer.Epochs[i]); difference != "" {
			return fmt.Sprintf("epoch %d: %s", i+1, difference)
		}
	}
	if again.Status == record.Paused {
		return ""
	}
	return record.DifferentEnds(final, again)
}

// compareCheckpoint compares the tensors with those of the checkpoint that the run kept after
// so many epochs, if it did.
func compareCheckpoint(epochs int, run record.Claimed, trainer *train.Trainer) (string, error) {
	kept, err := run.Kept()
	if err != nil || !slices.Contains(kept, epochs) {
		return "", err
	}
	var now, then strings.Builder
	if err := trainer.WriteTensors(&now); err != nil {
		return "", err
	}
	_, err = run.ReadKept(epochs, func(from io.Reader) error {
		_, err := io.Copy(&then, from)
		return err
	})
	if err == nil && now.String() != then.String() { // an unusable one is among the faults
		return fmt.Sprintf("the tensors after epoch %d are not those of the checkpoint", epochs), nil
	}
	return "", nil
}

// NewSeed returns a seed that nobody knows beforehand.
func NewSeed() uint64 { return uint64(time.Now().UnixNano()) ^ rand.Uint64() }
