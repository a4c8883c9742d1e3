package record

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Shard is a part of a study that a process of its own trains: number Index of Of, from 0. The
// zero value is a whole study.
//
// A shard works in a folder of its own, see Folder, in that of the study. Nothing that one shard
// writes does another read, so that shards need no common lock. Each has the files study.json,
// plan.json and tuned.json of the whole study, and so the same plan digest. [Merge] joins them.
type Shard struct{ Index, Of int }

// MostShards bounds the shards of a study.
const MostShards = 10_000

// ParseShard reads "2/16".
func ParseShard(text string) (s Shard, err error) {
	index, of, _ := strings.Cut(text, "/")
	s.Index, err = strconv.Atoi(index)
	n, also := strconv.Atoi(of)
	s.Of = n
	switch {
	case err != nil || also != nil:
		return s, fmt.Errorf("shard %q: give its number and how many there are, such as 2/16", text)
	case s.Of < 1 || s.Of > MostShards:
		return s, fmt.Errorf("shard %s: a study has 1 to %d shards", text, MostShards)
	case s.Index < 0 || s.Index >= s.Of:
		return s, fmt.Errorf("shard %s: shards are numbered from 0, so the last of %d is %d/%[2]d", text, s.Of, s.Of-1)
	}
	return s, nil
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// Folder is the name of the shard's folder.
func (s Shard) Folder() string {
	return fmt.Sprintf("shard-%0*d-of-%d", len(strconv.Itoa(s.Of-1)), s.Index, s.Of)
}

var shardFolder = regexp.MustCompile(`^shard-(\d+)-of-(\d+)$`)

// shardOf is the shard whose folder has a name.
func shardOf(name string) (s Shard, ok bool) {
	if parts := shardFolder.FindStringSubmatch(name); parts != nil {
		s, err := ParseShard(parts[1] + "/" + parts[2])
		return s, err == nil && s.Folder() == name
	}
	return s, false
}

// ShardOf is the shard whose folder has a path.
func ShardOf(folder string) (s Shard, ok bool) {
	whole, err := filepath.Abs(folder)
	if err != nil {
		return s, false
	}
	return shardOf(filepath.Base(whole))
}

// Shards returns the shards whose folders are in a study's, in order.
func Shards(study fs.FS) (shards []Shard, err error) {
	entries, err := fs.ReadDir(study, ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if shard, ok := shardOf(entry.Name()); ok {
			shards = append(shards, shard)
		}
	}
	slices.SortFunc(shards, func(a, b Shard) int { return slices.Compare([]int{a.Of, a.Index}, []int{b.Of, b.Index}) })
	return shards, nil
}

// CheckShard says why a shard cannot be in a folder, in which its study is, or is in an inner one.
// That may have a study without shards, shards of another division, or one with another plan. The
// files of a plan are those that this shard is about to have, by name; nil for one that depends on
// results. Of the shard itself, if it has begun, the runs are compared. Only the first of the
// other shards is looked at: a merge compares all.
func CheckShard(study, inner string, shard Shard, plan map[string][]byte) error {
	if err := notShard(study); err != nil {
		return err
	}
	tree := os.DirFS(study)
	if whole := filepath.Join(study, inner); isStudy(whole) {
		if merged, err := wasMerged(os.DirFS(whole), whole); err != nil {
			return err
		} else if !merged {
			return fmt.Errorf("%s holds a study that was begun without shards: choose another folder with --out, or go on without --shard", study)
		}
	}
	shards, err := Shards(tree)
	if err != nil {
		return err
	}
	for _, other := range shards {
		if other.Of != shard.Of {
			return fmt.Errorf("%s has %s, one of %d shards, and this is shard %s: all shards of a study are of one division; choose another folder with --out", study, other.Folder(), other.Of, shard)
		}
	}
	own := filepath.Join(study, shard.Folder())
	if begun, err := readAll(os.DirFS(own), StudyFile); err == nil && plan != nil {
		if why := differentRuns(begun, plan[StudyFile]); why != "" {
			return fmt.Errorf("%s is of another study: %s; give the options with which it was begun, or choose another folder with --out", own, why)
		}
	}
	for _, other := range shards {
		if other == shard || plan == nil {
			continue
		}
		theirs, err := readPlanFiles(os.DirFS(filepath.Join(study, other.Folder())))
		if err != nil || len(theirs[StudyFile]) == 0 {
			continue // it may be about to write them
		}
		if why := differentPlan(theirs, plan); why != "" {
			return fmt.Errorf("%s is of another study than this shard, %s: %s; give all shards the same options and the same program, or choose another folder with --out", filepath.Join(study, other.Folder()), shard, why)
		}
		break
	}
	return nil
}

// CheckMerged says that a folder holds shards of a study, or of a tuning, which is not there.
func CheckMerged(folder string) error {
	if err := notShard(folder); err != nil {
		return err
	}
	shards, err := Shards(os.DirFS(folder))
	if err != nil || len(shards) == 0 || isStudy(folder) || exists(folder, TunedFile) {
		return err
	}
	return fmt.Errorf("%s %s: go on with --shard, merge them with diaghess merge, or choose another folder with --out", folder, holdsShards(shards))
}

// notShard says that a folder, in which a whole study is to be, is that of a shard.
func notShard(folder string) error {
	if shard, ok := ShardOf(folder); ok {
		return fmt.Errorf("%s is the folder of shard %s, and no place for a whole study: name the folder that it is in, or another one", folder, shard)
	}
	return nil
}

// exists says whether a folder has a file.
func exists(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// holdsShards says which shards a folder holds, and which are missing.
func holdsShards(shards []Shard) string {
	here, of := map[int]bool{}, shards[0].Of
	for _, shard := range shards {
		here[shard.Index] = here[shard.Index] || shard.Of == of
	}
	var missing []string
	for i := range of {
		if !here[i] {
			missing = append(missing, Shard{i, of}.String())
		}
	}
	text := fmt.Sprintf("holds %d of %s of a study that are not merged", of-len(missing), Plural(of, "shard"))
	if missing != nil {
		text += " (missing: " + abridged(missing) + ")"
	}
	return text
}

// unmerged says which folders hold shards and no study.
func (t *tree) unmerged() (wrong Problems) {
	for _, folder := range t.sharded {
		sub, err := fs.Sub(t.fs, folder)
		if err != nil {
			continue
		}
		shards, err := Shards(sub)
		_, noStudy := fs.Stat(sub, StudyFile)
		_, noTuning := fs.Stat(sub, TunedFile)
		if err == nil && len(shards) > 0 && noStudy != nil && noTuning != nil {
			place := t.source(folder)
			wrong = append(wrong, Problem{place, holdsShards(shards), "Merge them: diaghess merge " + place + "; with --partial also where some are missing."})
		}
	}
	return wrong
}

// PlanFiles returns the files of a plan, by name, for CheckShard: of jobs, and of a plan and a
// tuning where these are not nil.
func PlanFiles(jobs []Job, plan *Plan, tuned *Tuned) (files map[string][]byte, err error) {
	files = map[string][]byte{}
	if files[StudyFile], err = encode(Study{Schema, jobs}); err == nil && plan != nil {
		files[PlanFile], err = encode(plan)
	}
	if err == nil && tuned != nil {
		files[TunedFile], err = encode(tuned.current())
	}
	return files, err
}

// differentPlan says in what plans differ, by their files; "" for nothing.
func differentPlan(theirs, ours map[string][]byte) string {
	for _, name := range planFiles {
		if bytes.Equal(theirs[name], ours[name]) {
			continue
		}
		if name == StudyFile {
			if why := differentRuns(theirs[name], ours[name]); why != "" {
				return why
			}
		}
		if why := undecoded(name, theirs[name], ours[name]); why != "" {
			return why
		}
		a, _ := parse(theirs[name])
		b, _ := parse(ours[name])
		return cmp.Or(differentFields(name, a, b), name+" is written otherwise")
	}
	return ""
}

// undecoded says which of two files is missing or damaged, "" for none.
func undecoded(name string, theirs, ours []byte) string {
	for i, content := range [][]byte{theirs, ours} {
		where := []string{"there", "here"}[i]
		if content == nil {
			return name + " is missing " + where
		}
		if _, err := parse(content); err != nil {
			return fmt.Sprintf("%s is damaged %s: %v", name, where, err)
		}
	}
	return ""
}

// differentFields names the first field, by name, in which two objects of files differ; "" for none.
func differentFields(file string, a, b map[string]any) string {
	was, is := map[string]string{}, map[string]string{}
	flatten("", a, was)
	flatten("", b, is)
	all := maps.Clone(is)
	maps.Copy(all, was)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if was[key] != is[key] {
			return fmt.Sprintf("%s has %s = %.80s, and %.80s here", file, key, cmp.Or(was[key], "nothing"), cmp.Or(is[key], "nothing"))
		}
	}
	return ""
}

// differentRuns says in what runs two files study.json differ; "" for nothing.
func differentRuns(theirs, ours []byte) string {
	if bytes.Equal(theirs, ours) {
		return ""
	}
	if why := undecoded(StudyFile, theirs, ours); why != "" {
		return why
	}
	a, _ := parse(theirs)
	b, _ := parse(ours)
	was, _ := a["jobs"].([]any)
	is, _ := b["jobs"].([]any)
	if len(was) != len(is) {
		return fmt.Sprintf("%s lists other runs (%d, and %d here)", StudyFile, len(was), len(is))
	}
	for i := range was {
		x, _ := was[i].(map[string]any)
		y, _ := is[i].(map[string]any)
		if why := differentFields(fmt.Sprintf("%s lists other runs: number %d", StudyFile, i+1), x, y); why != "" {
			return why
		}
	}
	return ""
}

// wasMerged says whether a study's folder is, or is about to be, the result of a merge.
func wasMerged(study fs.FS, root string) (bool, error) {
	h, err := ReadLedger(study, root)
	return slices.ContainsFunc(h.Events, func(e Event) bool { return e.Event == StudyMerged }), err
}
