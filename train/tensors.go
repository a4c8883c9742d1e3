package train

import (
	"encoding/binary"
	"io"

	"diaghess/gpu"
	"diaghess/layers"
)

// memory is what a checkpoint keeps of a run's memory, in this order.
type memory struct {
	network *layers.Network
	floats  []floats
	words   []gpu.Slice[uint32]
}

// floats is a tensor of a checkpoint. Those with the layout of the network's values are
// kept in the order of the host, the same on every device.
type floats struct {
	slice      gpu.Slice[float32]
	likeValues bool
}

// write writes the tensors' elements, in little-endian order.
func (m memory) write(w io.Writer) error {
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
	return nil
}

// read reads back what write wrote, into tensors of the same lengths.
func (m memory) read(r io.Reader) error {
	for _, f := range m.floats {
		host := make([]float32, f.slice.Len())
		if err := binary.Read(r, binary.LittleEndian, host); err != nil {
			return err
		}
		if err := m.upload(f, host); err != nil {
			return err
		}
	}
	for _, s := range m.words {
		host := make([]uint32, s.Len())
		if err := binary.Read(r, binary.LittleEndian, host); err != nil {
			return err
		}
		if err := gpu.Upload(m.network.Stream, s, host); err != nil {
			return err
		}
	}
	return nil
}

func (m memory) download(host []float32, from floats) error {
	if from.likeValues {
		return m.network.Download(host, from.slice)
	}
	return gpu.Download(m.network.Stream, host, from.slice)
}

func (m memory) upload(to floats, host []float32) error {
	if to.likeValues {
		return m.network.Upload(to.slice, host)
	}
	return gpu.Upload(m.network.Stream, to.slice, host)
}
