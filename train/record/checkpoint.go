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

	"diaghess/train/atomicfile"
)

// Position is where a run is: what a checkpoint keeps beside the tensors.
type Position struct {
	Epoch   int     `json:"epoch"`   // epochs done
	Batch   int     `json:"batch"`   // batches of the next one done; all of them where its validation is left
	Step    int     `json:"step"`    // optimizer steps done
	Seconds float64 `json:"seconds"` // spent on the unfinished epoch
	Epochs  []Epoch `json:"epochs"`  // of the record
}

const checkpointMagic = "diaghess checkpoint 1\n"

// WriteCheckpoint keeps a position and what tensors writes: a magic line, the position as a
// line of JSON, the tensors, and the SHA-256 of all that.
func (r Run) WriteCheckpoint(p Position, tensors func(io.Writer) error) error {
	path := r.path(checkpointFile)
	header, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.Write(path, func(file io.Writer) error {
		sum := sha256.New()
		w := io.MultiWriter(file, sum)
		if _, err := fmt.Fprintf(w, "%s%s\n", checkpointMagic, header); err != nil {
			return err
		}
		if err := tensors(w); err != nil {
			return err
		}
		_, err := file.Write(sum.Sum(nil))
		return err
	})
}

// ReadCheckpoint returns the position of a checkpoint and hands its tensors to a function,
// which has to read all of them; it returns false where there is no checkpoint.
func (r Run) ReadCheckpoint(tensors func(io.Reader) error) (p Position, there bool, err error) {
	path := r.path(checkpointFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	damaged := fmt.Errorf("%s is damaged: delete it to start the run over", path)
	body := content[:max(0, len(content)-sha256.Size)]
	sum := sha256.Sum256(body)
	if !bytes.Equal(sum[:], content[len(body):]) || !bytes.HasPrefix(body, []byte(checkpointMagic)) {
		return p, false, damaged
	}
	header, rest, found := bytes.Cut(body[len(checkpointMagic):], []byte("\n"))
	if !found || json.Unmarshal(header, &p) != nil {
		return p, false, damaged
	}
	left := bytes.NewReader(rest)
	if err := tensors(left); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w (%w)", damaged, err)
		}
		return p, false, err
	}
	if left.Len() != 0 {
		return p, false, fmt.Errorf("%w (%d bytes too many)", damaged, left.Len())
	}
	return p, true, nil
}
