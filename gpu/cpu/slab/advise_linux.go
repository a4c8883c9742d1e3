package slab

import "golang.org/x/sys/unix"

// advise asks for large pages; without them memory is slower, nothing else.
func advise(memory []byte) { _ = unix.Madvise(memory, unix.MADV_HUGEPAGE) }
