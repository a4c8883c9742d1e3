package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"diaghess/train/atomicfile"
)

// Position is where a run is: what a checkpoint keeps beside the tensors.
type Position struct {
	Epoch   int     `json:"epoch" in:"0.."`   // epochs done
	Batch   int     `json:"batch" in:"0.."`   // batches of the next one done; all of them where its validation is left
	Step    int     `json:"step" in:"0.."`    // optimizer steps done
	Seconds float64 `json:"seconds" in:"0.."` // spent on the unfinished epoch
	Epochs  []Epoch `json:"epochs,omitempty"` // of the record
}

// checkpointMagic is the first line, with the version. Version 1 did not say which run a
// checkpoint is of.
const checkpointMagic, checkpointVersion = "diaghess checkpoint ", "2\n"

// header is the second line of a checkpoint.
type header struct {
	Position
	Config Config `json:"config"` // of the run that it is of
}

// possible says whether a run can be there.
func (p Position) possible() bool {
	for i, e := range p.Epochs {
		if e.Epoch != i+1 {
			return false
		}
	}
	return p.Epoch == len(p.Epochs) && p.Batch >= 0 && p.Step >= p.Batch && p.Seconds >= 0
}

// WriteCheckpoint keeps a position and what tensors writes: a magic line, the position and
// the run's config as a line of JSON, the tensors, and the SHA-256 of all that.
func (r Claimed) WriteCheckpoint(p Position, tensors func(io.Writer) error) error {
	return r.writeCheckpoint(checkpointFile, p, tensors)
}

func (r Claimed) writeCheckpoint(name string, p Position, tensors func(io.Writer) error) error {
	return atomicfile.Write(r.path(name), func(file io.Writer) error { return header{p, r.config}.write(file, tensors) })
}

func (h header) write(file io.Writer, tensors func(io.Writer) error) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sum := sha256.New()
	w := io.MultiWriter(file, sum)
	if _, err := fmt.Fprintf(w, "%s%s%s\n", checkpointMagic, checkpointVersion, line); err != nil {
		return err
	}
	if err := tensors(w); err != nil {
		return err
	}
	_, err = file.Write(sum.Sum(nil))
	return err
}

// ReadCheckpoint returns the position of a checkpoint and hands its tensors to a function,
// which has to read all of them; it returns false where there is no checkpoint. One of a run
// of another config is an error.
func (r Claimed) ReadCheckpoint(tensors func(io.Reader) error) (p Position, there bool, err error) {
	return r.readCheckpoint(checkpointFile, tensors)
}

// startOver is what to do with a checkpoint that is of no use.
func startOver(path string) string {
	if filepath.Base(path) != checkpointFile {
		return "delete that file, which the run's record does not need"
	}
	return "delete that file, and the same command trains the run from its start"
}

func (r Claimed) readCheckpoint(name string, tensors func(io.Reader) error) (p Position, there bool, err error) {
	path := r.path(name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = regular(info.Mode())
	}
	if err != nil {
		return p, false, unreadable(path, err).remedied("Move it elsewhere: the same command then trains the run from its start.")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return p, false, err
	}
	h, rest, err := splitCheckpoint(path, content)
	if err != nil {
		return p, false, err
	}
	h.Config.complete()
	if differ := h.Config.differences(r.config, true); differ != nil {
		return p, false, fmt.Errorf("%s is of another run (%s): move it back to the folder of that run, or %s", path, strings.Join(differ, "; "), startOver(path))
	}
	left := bytes.NewReader(rest)
	if err := tensors(left); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w (%w)", damaged(path), err)
		}
		return p, false, err
	}
	if left.Len() != 0 {
		return p, false, fmt.Errorf("%w (%d bytes too many)", damaged(path), left.Len())
	}
	return h.Position, true, nil
}

func damaged(path string) error { return fmt.Errorf("%s is damaged: %s", path, startOver(path)) }

// splitCheckpoint returns the header of a checkpoint, and the tensors.
func splitCheckpoint(path string, content []byte) (h header, tensors []byte, err error) {
	body := content[:max(0, len(content)-sha256.Size)]
	sum := sha256.Sum256(body)
	if !bytes.Equal(sum[:], content[len(body):]) || !bytes.HasPrefix(body, []byte(checkpointMagic)) {
		return h, nil, damaged(path)
	}
	body, current := bytes.CutPrefix(body[len(checkpointMagic):], []byte(checkpointVersion))
	if !current {
		return h, nil, fmt.Errorf("%s is of another version of this program, and does not say of which run as this one does: go on with that version, or %s", path, startOver(path))
	}
	line, tensors, _ := bytes.Cut(body, []byte("\n"))
	if decode(path, line, &h) != nil || !h.possible() {
		return h, nil, damaged(path)
	}
	return h, tensors, nil
}
