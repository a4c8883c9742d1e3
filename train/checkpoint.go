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
	"diaghess/layers"
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

// memory is what a checkpoint keeps of a run's memory, in this order.
type memory struct {
	network *layers.Network
	floats  []floats
	words   []gpu.Slice[uint32]
}

// floats is a tensor of a checkpoint. Arenas with the layout of the network's values are
// kept in the order of the host, the same on every device.
type floats struct {
	slice  gpu.Slice[float32]
	arenas bool
}

// writeCheckpoint keeps a position and tensors: a magic line, the position as a
// line of JSON, each tensor's elements in little-endian order, and the SHA-256
// of all that.
func writeCheckpoint(path string, p position, m memory) error {
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
		for _, f := range m.floats {
			host := make([]float32, f.slice.Len())
			if err := m.download(host, f); err != nil {
				return err
			}
			if err := binary.Write(w, binary.LittleEndian, host); err != nil {
				return err
			}
		}
		for _, s := range m.words {
			host := make([]uint32, s.Len())
			if err := gpu.Download(m.network.Stream, host, s); err != nil {
				return err
			}
			if err := binary.Write(w, binary.LittleEndian, host); err != nil {
				return err
			}
		}
		_, err := file.Write(sum.Sum(nil))
		return err
	})
}

func (m memory) download(host []float32, from floats) error {
	if from.arenas {
		return m.network.Download(host, from.slice)
	}
	return gpu.Download(m.network.Stream, host, from.slice)
}

func (m memory) upload(to floats, host []float32) error {
	if to.arenas {
		return m.network.Upload(to.slice, host)
	}
	return gpu.Upload(m.network.Stream, to.slice, host)
}

// readCheckpoint reads back what writeCheckpoint wrote, into tensors of the
// same lengths. ok is false where there is no checkpoint.
func readCheckpoint(path string, m memory) (p position, ok bool, err error) {
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
	for _, f := range m.floats {
		host := make([]float32, f.slice.Len())
		if err := binary.Read(r, binary.LittleEndian, host); err != nil {
			return p, false, fmt.Errorf("%w (%w)", damaged, err)
		}
		if err := m.upload(f, host); err != nil {
			return p, false, err
		}
	}
	for _, s := range m.words {
		host := make([]uint32, s.Len())
		if err := binary.Read(r, binary.LittleEndian, host); err != nil {
			return p, false, fmt.Errorf("%w (%w)", damaged, err)
		}
		if err := gpu.Upload(m.network.Stream, s, host); err != nil {
			return p, false, err
		}
	}
	if r.Len() != 0 {
		return p, false, fmt.Errorf("%w (%d bytes too many)", damaged, r.Len())
	}
	return p, true, nil
}
