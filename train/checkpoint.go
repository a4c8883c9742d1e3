package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"diaghess/gpu"
	"diaghess/train/atomicfile"
)

// position is where a run is: what a checkpoint keeps beside the tensors.
type position struct {
	Epoch   int     `json:"epoch"`   // epochs done
	Batch   int     `json:"batch"`   // batches of the next one done; all of them where its validation is left
	Step    int     `json:"step"`    // optimizer steps done
	Seconds float64 `json:"seconds"` // spent on the unfinished epoch
	Epochs  []Epoch `json:"epochs"`  // of the record
}

const checkpointMagic = "diaghess checkpoint 1\n"

// writeCheckpoint keeps a position and tensors: a magic line, the position as a
// line of JSON, each tensor's elements in little-endian order, and the SHA-256
// of all that.
func writeCheckpoint(path string, stream gpu.Stream, p position, floats []gpu.Slice[float32], words []gpu.Slice[uint32]) error {
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
		for _, s := range floats {
			if err := writeTensor(w, stream, s); err != nil {
				return err
			}
		}
		for _, s := range words {
			if err := writeTensor(w, stream, s); err != nil {
				return err
			}
		}
		_, err := file.Write(sum.Sum(nil))
		return err
	})
}

func writeTensor[T gpu.Element](w io.Writer, stream gpu.Stream, s gpu.Slice[T]) error {
	host := make([]T, s.Len())
	if err := gpu.Download(stream, host, s); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, host)
}

// readCheckpoint reads back what writeCheckpoint wrote, into tensors of the
// same lengths. ok is false where there is no checkpoint.
func readCheckpoint(path string, stream gpu.Stream, floats []gpu.Slice[float32], words []gpu.Slice[uint32]) (p position, ok bool, err error) {
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
	header, tensors, found := bytes.Cut(body[len(checkpointMagic):], []byte("\n"))
	if !found {
		return p, false, damaged
	}
	if err := json.Unmarshal(header, &p); err != nil {
		return p, false, damaged
	}
	r := bytes.NewReader(tensors)
	for _, s := range floats {
		if err := readTensor(r, stream, s); err != nil {
			return p, false, fmt.Errorf("%w (%w)", damaged, err)
		}
	}
	for _, s := range words {
		if err := readTensor(r, stream, s); err != nil {
			return p, false, fmt.Errorf("%w (%w)", damaged, err)
		}
	}
	if r.Len() != 0 {
		return p, false, fmt.Errorf("%w (%d bytes too many)", damaged, r.Len())
	}
	return p, true, nil
}

func readTensor[T gpu.Element](r io.Reader, stream gpu.Stream, s gpu.Slice[T]) error {
	host := make([]T, s.Len())
	if err := binary.Read(r, binary.LittleEndian, host); err != nil {
		return err
	}
	return gpu.Upload(stream, s, host)
}
