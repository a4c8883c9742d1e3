package record

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part is a shard, or what has been merged before.
type part struct {
	shard  Shard
	folder string // the shard's
	study  string // where its study is, the same or one inside
	tuning bool   // which has one inside
	tuned  []byte // of a tuning that has ended
	files  map[string][]byte
	*listing
	runs   map[string]partRun // by their folders, with slashes
	ledger map[string][]byte  // by name
}

// partRun is a run that has ended, or a trial that was stopped.
type partRun struct {
	record         Event // as Run.Record has it; of a trial the result alone
	config         Config
	device, source string
}

// shards returns the folders of the shards, by the shard.
func (m *merge) shards() (folders []part, err error) {
	for _, folder := range m.Folders {
		whole, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		if shard, ok := shardOf(filepath.Base(whole)); ok {
			folders = append(folders, part{shard: shard, folder: folder})
			continue
		}
		if _, err := fs.Stat(m.open(folder), "."); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, errors.Unwrap(err))
		}
		shards, err := Shards(m.open(folder))
		if err != nil {
			return nil, err
		}
		if len(shards) == 0 {
			return nil, fmt.Errorf("%s holds no shards: name the folder that --out of study --shard named, or a folder such as %s in it", folder, Shard{0, 4}.Folder())
		}
		for _, shard := range shards {
			folders = append(folders, part{shard: shard, folder: filepath.Join(folder, shard.Folder())})
		}
	}
	for _, p := range folders {
		if first := folders[0]; p.shard.Of != first.shard.Of {
			return nil, fmt.Errorf("%s is one of %d shards, and %s one of %d: shards of one division can be merged; name the folders of one", first.folder, first.shard.Of, p.folder, p.shard.Of)
		}
	}
	return folders, nil
}

// read reads the shards, and says which lack runs. What is wrong in a shard that was written just
// now is looked at again: other machines may see names and contents late.
func (m *merge) read(ctx context.Context, parts []part) (_ []part, missing []string, err error) {
	faults, lacks := make([]error, len(parts)), make([]string, len(parts))
	settled := cmp.Or(m.Settled, DefaultSettled)
	began, told := time.Now(), false
	for again := upTo(len(parts)); ; {
		late := make([]bool, len(parts))
		each(len(again), func(n int) {
			i := again[n]
			fresh, err := parts[i].read(ctx, m)
			if err == nil {
				lacks[i], err = m.lacks(parts[i])
			}
			if lacks[i] != "" { // no result of what is gone
				parts[i].tuned = nil
			}
			faults[i] = err
			late[i] = (err != nil || lacks[i] != "" && !m.Partial) && time.Since(fresh).Abs() < settled
		})
		again = slices.DeleteFunc(again, func(i int) bool { return !late[i] })
		if len(again) == 0 || ctx.Err() != nil || time.Since(began) > settled {
			break
		}
		if !told && m.Waiting != nil {
			m.Waiting(fmt.Sprintf("waiting up to %v for what was written just now: %s", settled, parts[again[0]].folder))
		}
		told = true
		select {
		case <-ctx.Done():
		case <-time.After(min(time.Second, settled/4)):
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(faults...); err != nil {
		return nil, nil, err
	}
	of := parts[0].shard.Of
	why := map[int]string{}
	for i := range of {
		why[i] = "its folder is not there"
	}
	for i, p := range parts {
		if before, ok := why[p.shard.Index]; ok && (before == "its folder is not there" || lacks[i] == "") {
			why[p.shard.Index] = lacks[i]
		}
	}
	var said []string
	for i := range of {
		if why[i] != "" {
			missing, said = append(missing, Shard{i, of}.String()), append(said, fmt.Sprintf("shard %d/%d: %s", i, of, why[i]))
		}
	}
	if len(missing) > 0 && !m.Partial {
		return nil, nil, fmt.Errorf("the study is not complete:\n%s\nRun the commands of these shards again, or merge what there is with --partial", strings.Join(said, "\n"))
	}
	return parts, missing, nil
}

// read reads a shard. fresh is when its ledger was last written.
func (p *part) read(ctx context.Context, m *merge) (fresh time.Time, err error) {
	files := m.open(p.folder)
	p.study = p.folder
	if content, err := readAll(files, TunedFile); err == nil {
		p.tuned = content
	}
	if _, err := fs.Stat(files, path.Join(m.Trials, StudyFile)); m.Trials != "" && err == nil {
		p.study, p.tuning = filepath.Join(p.folder, m.Trials), true
		files = m.open(p.study)
	}
	t := &tree{fs: stoppable{ctx, files, "."}, root: p.study}
	if p.files, err = readPlanFiles(t.fs); err != nil {
		return fresh, fmt.Errorf("%s: %w", p.study, err)
	}
	if p.files[StudyFile] == nil { // a shard that begins writes plan.json first
		p.files = nil
	} else {
		if p.listing = m.jobs(p.files[StudyFile]); p.listing.err != nil {
			return fresh, fmt.Errorf("%s: %w", p.study, p.listing.err)
		}
	}
	if p.ledger, fresh, err = t.ledgerFiles(); err != nil {
		return fresh, err
	}
	for _, name := range []string{PlanFile, TunedFile} { // study.json has been read
		if content, there := p.files[name]; there {
			if _, err := parse(content); err != nil {
				return fresh, Problems{{Place: t.source(name), Sentence: "is damaged: " + err.Error()}}
			}
		}
	}
	p.runs = map[string]partRun{}
	var wrong Problems
	ended, begun, err := Runs(t.fs, p.study)
	if err != nil {
		return fresh, err
	}
	for _, run := range ended {
		end, problems := t.ended(path.Join(run, finalFile))
		if wrong = append(wrong, problems...); problems != nil {
			continue
		}
		p.runs[run] = p.run(end.record, end.Config)
	}
	for _, run := range begun { // of a tuning, whose trials may be stopped
		if _, end := p.runs[run]; end || !p.tuning {
			continue
		}
		var config Config
		_, problems := t.readFile(path.Join(run, configFile), &config)
		epochs, _, damaged := t.epochs(path.Join(run, epochsFile))
		wrong = append(wrong, append(problems, damaged...)...)
		result, err := Results(epochs, Final{})
		if err != nil {
			return fresh, err
		}
		p.runs[run] = p.run(Event{Result: result}, config)
	}
	return fresh, wrong.err()
}

// run is what a merge has to know of a run.
func (p *part) run(record Event, config Config) partRun {
	r := partRun{record: record, config: config, device: config.Device, source: p.study}
	if strings.HasPrefix(r.device, "cuda") {
		r.device = config.Machine // whichever of its cards it was
	}
	r.config.Machine = "" // names the threads
	return r
}

// ledgerFiles returns the files of a ledger, and when the last of them was written.
func (t *tree) ledgerFiles() (files map[string][]byte, fresh time.Time, err error) {
	entries, err := fs.ReadDir(t.fs, LedgerFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fresh, nil
	}
	if err != nil {
		return nil, fresh, unreadable(t.source(LedgerFolder), err)
	}
	files = map[string][]byte{}
	for _, entry := range entries {
		if !ledgerFile.MatchString(entry.Name()) {
			continue
		}
		content, err := t.readAll(path.Join(LedgerFolder, entry.Name()))
		if err != nil {
			return nil, fresh, err
		}
		// Half a line is of a process that was killed, or is at work.
		files[entry.Name()] = content[:bytes.LastIndexByte(content, '\n')+1]
		if info, err := entry.Info(); err == nil && info.ModTime().After(fresh) {
			fresh = info.ModTime()
		}
	}
	return files, fresh, err
}

// lacks says which runs of its own a shard does not have, in words, "" for none. A run that is not
// its own is an error.
func (m *merge) lacks(p part) (string, error) {
	if len(p.files) == 0 {
		if len(p.runs) > 0 {
			return "", fmt.Errorf("%s has runs and no %s: run the command of this shard again, which writes it", p.study, StudyFile)
		}
		return "it has not begun", nil
	}
	if p.tuning {
		return p.lacksTrials()
	}
	if err := p.divide(p.shard.Of, m.Divide); err != nil {
		return "", fmt.Errorf("%s: %w", p.folder, err)
	}
	for _, run := range slices.Sorted(maps.Keys(p.runs)) {
		if index, ok := p.owner[run]; !ok || index != p.shard.Index {
			return "", fmt.Errorf("%s is not a run of shard %s: its folder was renamed, or runs were copied into it; take them out of there", filepath.Join(p.study, filepath.FromSlash(run)), p.shard)
		}
	}
	of := p.sizes[p.shard.Index]
	left := of - len(p.runs)
	if left > 0 {
		return fmt.Sprintf("%d of its %s have not ended", left, Plural(of, "run")), nil
	}
	return "", nil
}

// lacksTrials is lacks for a shard of a tuning. Which runs it has to do depends on its results, so
// that its tuned.json names them.
func (p part) lacksTrials() (string, error) {
	if p.tuned == nil {
		return "its tuning has not ended", nil
	}
	var tuned Tuned
	if wrong := decode(filepath.Join(p.folder, TunedFile), p.tuned, &tuned); wrong != nil {
		return "", wrong
	}
	left, of := 0, 0
	each := len(tuned.Seeds) / tuned.Tunings()
	for _, o := range tuned.Optimizers {
		for _, trial := range o.Trials {
			for _, seed := range TuningSeeds(tuned.Seeds[:each], max(1, o.Tuning)) {
				of++
				job := Job{Dataset: tuned.Dataset, Optimizer: trial.Spec, Seed: seed}
				if !slices.ContainsFunc(job.folders(), func(folder string) bool {
					run, there := p.runs[filepath.ToSlash(folder)]
					return there && (trial.Status != Finished || run.record.Record != "") // others may have been stopped
				}) {
					left++
				}
			}
		}
	}
	if left > 0 {
		return fmt.Sprintf("%d of its %s are gone", left, Plural(of, "trial run")), nil
	}
	return "", nil
}
