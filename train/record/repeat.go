package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Runs returns the folders of a study's runs that have ended, and of those that have begun, in
// order, with slashes.
func Runs(study fs.FS, root string) (ended, begun []string, err error) {
	files, err := find(study, root, ".", configFile, finalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	for _, file := range files {
		switch folder, name := path.Split(file); {
		case strings.Count(file, "/") != runDepth:
		case name == finalFile:
			ended = append(ended, path.Clean(folder))
		default:
			begun = append(begun, path.Clean(folder))
		}
	}
	return ended, begun, err
}

// recorded returns the names of a study's records, plans and ledgers, in order.
func recorded(study fs.FS) (names []string, err error) {
	t := &tree{fs: study}
	runs, _, err := Runs(t.fs, t.root)
	if err != nil {
		return nil, err
	}
	for _, name := range planFiles {
		if _, err := fs.Stat(study, name); err == nil {
			names = append(names, name)
		}
	}
	for _, run := range runs {
		for _, name := range []string{configFile, epochsFile, finalFile} {
			if _, err := fs.Stat(study, path.Join(run, name)); err == nil {
				names = append(names, path.Join(run, name))
			}
		}
	}
	ledger, err := fs.ReadDir(study, LedgerFolder)
	for _, file := range ledger {
		if ledgerFile.MatchString(file.Name()) {
			names = append(names, path.Join(LedgerFolder, file.Name()))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// windowsLines says which of a study's files have the line ends of Windows.
func windowsLines(study fs.FS, root string) Problems {
	names, _ := recorded(study) // the patterns are right
	var files []string
	for _, name := range names {
		if content, err := readAll(study, name); err == nil && bytes.Contains(content, []byte("\r\n")) {
			files = append(files, name)
		}
	}
	if files == nil {
		return nil
	}
	return Problems{{Place: root, Sentence: "has files whose line ends were changed to those of Windows, as git does with core.autocrlf (" + abridged(files) + "): copy them again, unchanged"}}
}

// StudyDigest returns the digest of a study: of the paths and contents of all of its records,
// plans and ledgers, in order. Pages, tables and checkpoints do not count.
func StudyDigest(study fs.FS) (string, error) {
	names, err := recorded(study)
	if err != nil {
		return "", err
	}
	var list strings.Builder
	for _, name := range names {
		content, err := readAll(study, name)
		if err != nil {
			return "", unreadable(name, err)
		}
		fmt.Fprintf(&list, "%s  %s\n", Digest(content), name) // as sha256sum prints it
	}
	return Digest([]byte(list.String())), nil
}

// Differences says in what the configs of a run and of its repetition differ, of all that
// results depend on: by name. Of the machine it compares a GPU's, since the processors of a
// platform compute the same.
func (c Config) Differences(now Config) []string {
	differ := c.differences(now, true)
	if strings.HasPrefix(c.Device, "cuda") && c.Machine != now.Machine {
		differ = append(differ, fmt.Sprintf("machine was %s and is %s", c.Machine, now.Machine))
	}
	return differ
}

// withoutTimes is an epoch as a repetition has it.
func (e Epoch) withoutTimes() Epoch {
	e.Seconds, e.Parts = 0, nil
	return e
}

// withoutMaker is an end as a repetition has it: without times, and without what made it.
func (f Final) withoutMaker() Final {
	f.complete()
	f.Schema, f.TrainTime, f.Build = 0, 0, Build{}
	return f
}

// Results returns the digest of a run's results: its epochs and its end without times, and
// without what made them.
func Results(epochs []Epoch, final Final) (string, error) {
	results := struct {
		Epochs []Epoch
		Final  Final
	}{Final: final.withoutMaker()}
	for _, e := range epochs {
		results.Epochs = append(results.Epochs, e.withoutTimes())
	}
	content, err := json.Marshal(results)
	return Digest(content), err
}

// Different says in what a repeated epoch differs from the recorded one, times aside; "" for
// nothing.
func Different(recorded, repeated Epoch) string {
	return first(differing(recorded.withoutTimes(), repeated.withoutTimes(), repetition))
}

// DifferentEnds is Different for the ends of a run.
func DifferentEnds(recorded, repeated Final) string {
	return first(differing(recorded.withoutMaker(), repeated.withoutMaker(), repetition))
}

// repetition is what a record is compared with.
const repetition = "the repetition"

// first returns the first of some sentences, "" for none.
func first(sentences []string) string {
	if len(sentences) == 0 {
		return ""
	}
	return sentences[0]
}

// keptFile is the name of a checkpoint that is kept after so many epochs, so that an audit can
// go on from there.
func keptFile(epochs int) string { return fmt.Sprintf("%s-%04d", checkpointFile, epochs) }

// Keep writes a checkpoint that stays when the run has ended. p is where an epoch ends.
func (r Claimed) Keep(p Position, tensors func(io.Writer) error) error {
	return r.writeCheckpoint(keptFile(p.Epoch), p, tensors)
}

// Kept returns after how many epochs there are checkpoints that were kept, in order.
func (r Run) Kept() (epochs []int, err error) {
	files, err := fs.Glob(os.DirFS(r.Folder), checkpointFile+"-*")
	for _, file := range files {
		if n, err := strconv.Atoi(strings.TrimPrefix(file, checkpointFile+"-")); err == nil {
			epochs = append(epochs, n)
		}
	}
	slices.Sort(epochs)
	return epochs, err
}

// CheckCheckpoints says what is wrong with the checkpoints in the run's folder: those that are
// damaged, or of another run.
func (r Claimed) CheckCheckpoints() (wrong Problems) {
	files, err := fs.Glob(os.DirFS(r.Folder), checkpointFile+"*")
	if err != nil {
		return unreadable(r.Folder, err)
	}
	for _, file := range files {
		_, _, err := r.readCheckpoint(file, func(tensors io.Reader) error {
			_, err := io.Copy(io.Discard, tensors)
			return err
		})
		if err != nil {
			wrong = append(wrong, Problem{Place: r.path(file), Sentence: "is no checkpoint of this run: " + err.Error()})
		}
	}
	return wrong
}

// Recorded returns a run with the config that its record has, to read from.
func (r Run) Recorded() (Claimed, error) {
	config, there, err := r.Config()
	if err == nil && !there {
		err = Problems{{r.path(configFile), "is missing", r.tree().remedy(".")}}
	}
	return Claimed{r, config}, err
}

// Config is the run's.
func (r Claimed) Config() Config { return r.config }

// ReadKept is ReadCheckpoint for one that was kept after so many epochs.
func (r Claimed) ReadKept(epochs int, tensors func(io.Reader) error) (Position, error) {
	p, there, err := r.readCheckpoint(keptFile(epochs), tensors)
	if err == nil && !there {
		err = errors.New("the checkpoint has gone")
	}
	return p, err
}
