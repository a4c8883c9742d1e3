//go:build cuda

package cuda

import "diaghess/gpu/cuda/supplement"

// largestWorkspace bounds the scratch memory of a convolution; an algorithm that needs
// more is passed over.
const largestWorkspace = 256 << 20

// workspace is the scratch memory of a stream's convolutions, which run one after the
// other and so share it.
type workspace struct {
	allocation
	// captured says that a graph has its address: then it stays until the stream is
	// closed, also when a larger one takes its place.
	captured bool
}

// reserve ensures that the workspace has so many bytes, on the stream's thread.
func (s *stream) reserve(bytes int) error {
	old := s.workspace
	if bytes <= old.bytes {
		return nil
	}
	larger, err := s.alloc(bytes)
	if err != nil {
		return err
	}
	s.held = append(s.held, larger)
	s.workspace = workspace{allocation: larger}
	if old.bytes == 0 || old.captured {
		return nil
	}
	for i, a := range s.held {
		if a == old.allocation {
			s.held = append(s.held[:i], s.held[i+1:]...)
			break
		}
	}
	return s.release(old.allocation)
}

// memory is the workspace as cuDNN takes it.
func (w *workspace) memory() supplement.Memory { return supplement.Memory(w.address) }
