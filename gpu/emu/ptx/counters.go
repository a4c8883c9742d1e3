package ptx

import (
	"math/bits"
	"slices"
)

// Counters say what a launch did. A request is one memory instruction of one warp.
type Counters struct {
	ThreadInstructions  int64 // lanes whose guard was true
	GlobalBytes         int64 // asked for by the lanes
	GlobalSectors       int64 // distinct 32-byte sectors touched, summed over requests
	SharedBankConflicts int64 // wavefronts beyond those that the width of the access needs
	DivergentBranches   int64
}

// add sums the counters of a worker into those of a launch.
func (c *Counters) add(other *Counters) {
	c.ThreadInstructions += other.ThreadInstructions
	c.GlobalBytes += other.GlobalBytes
	c.GlobalSectors += other.GlobalSectors
	c.SharedBankConflicts += other.SharedBankConflicts
	c.DivergentBranches += other.DivergentBranches
}

const sectorBytes = 32

// sectors counts the distinct 32-byte sectors that the lanes touch; no access crosses one, because accesses are aligned and at
// most 16 bytes wide.
func sectors(offsets *[lanes]uint64, mask uint32) int64 {
	previous := ^uint64(0)
	count := int64(0)
	for m := mask; m != 0; m &= m - 1 {
		sector := offsets[bits.TrailingZeros32(m)&31] / sectorBytes
		if sector == previous {
			continue
		}
		if count > 0 && sector < previous {
			return sectorsUnordered(offsets, mask)
		}
		previous = sector
		count++
	}
	return count
}

func sectorsUnordered(offsets *[lanes]uint64, mask uint32) int64 {
	touched := make([]uint64, 0, lanes)
	for m := mask; m != 0; m &= m - 1 {
		touched = append(touched, offsets[bits.TrailingZeros32(m)&31]/sectorBytes)
	}
	slices.Sort(touched)
	return int64(len(slices.Compact(touched)))
}

const (
	banks     = 32
	bankBytes = 4
)

// bankConflicts counts the wavefronts of a shared-memory request beyond the least number. Lanes are served together as long as
// no bank has to give two different words: all 32 for up to 4 bytes a lane, half a warp for 8, a quarter for 16.
func bankConflicts(offsets *[lanes]uint64, mask uint32, bytes int) int64 {
	group := lanes
	if bytes > bankBytes {
		group = lanes * bankBytes / bytes
	}
	var extra int64
	for first := 0; first < lanes; first += group {
		part := mask >> first
		if group < lanes {
			part &= 1<<group - 1
		}
		if part != 0 {
			extra += groupConflicts(offsets, part, first, bytes)
		}
	}
	return extra
}

// groupConflicts counts for lanes first, first+1, ... of the mask: the most distinct words in one bank, less one.
func groupConflicts(offsets *[lanes]uint64, mask uint32, first, bytes int) int64 {
	var words [banks][lanes]uint64 // distinct words of each bank
	var count [banks]uint8
	most := uint8(1)
	for lane := first; mask != 0; lane, mask = lane+1, mask>>1 {
		if mask&1 == 0 {
			continue
		}
		start := offsets[lane] / bankBytes
		for word := start; word*bankBytes < offsets[lane]+uint64(bytes); word++ {
			bank := word % banks
			if !slices.Contains(words[bank][:count[bank]], word) {
				words[bank][count[bank]] = word
				count[bank]++
				most = max(most, count[bank])
			}
		}
	}
	return int64(most) - 1
}
