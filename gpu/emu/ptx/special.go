package ptx

import "strings"

// special is a special register (section "Special Registers").
type special uint8

const (
	specialTid special = iota // .x .y .z follow each other
	specialTidY
	specialTidZ
	specialNtid
	specialNtidY
	specialNtidZ
	specialCtaid
	specialCtaidY
	specialCtaidZ
	specialNctaid
	specialNctaidY
	specialNctaidZ
	specialLane
	specialWarp
	specialWarps
	specialSM
	specialSMs
	specialMaskEqual
	specialMaskLess
	specialMaskLessEqual
	specialMaskGreater
	specialMaskGreaterEqual
	specialDynamicShared
	specialTotalShared
)

func parseSpecial(name string) (special, bool) {
	base, axis, vector := strings.Cut(name, ".")
	if vector {
		offset := strings.Index("xyz", axis)
		if offset < 0 || len(axis) != 1 {
			return 0, false
		}
		switch base {
		case "%tid":
			return specialTid + special(offset), true
		case "%ntid":
			return specialNtid + special(offset), true
		case "%ctaid":
			return specialCtaid + special(offset), true
		case "%nctaid":
			return specialNctaid + special(offset), true
		}
		return 0, false
	}
	for i, known := range [...]string{"%laneid", "%warpid", "%nwarpid", "%smid", "%nsmid", "%lanemask_eq", "%lanemask_lt",
		"%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size", "%total_smem_size"} {
		if name == known {
			return specialLane + special(i), true
		}
	}
	return 0, false
}

// fillSpecials sets the special registers of a warp: all of them once, the block's position again for each block.
func (w *warp) fillSpecials(all bool) {
	for _, use := range w.block.kernel.specials {
		if !all && (use.special < specialCtaid || use.special > specialCtaidZ) {
			continue
		}
		register := &w.words[use.index]
		for lane := range register {
			register[lane] = w.specialValue(use.special, lane)
		}
	}
}

func (w *warp) specialValue(s special, lane int) uint32 {
	launch := w.block.launch
	bit := uint32(1) << lane
	switch {
	case s <= specialTidZ:
		return uint32(w.thread(lane)[s-specialTid])
	case s <= specialNtidZ:
		return uint32(launch.Block[s-specialNtid])
	case s <= specialCtaidZ:
		return uint32(w.block.position[s-specialCtaid])
	case s <= specialNctaidZ:
		return uint32(launch.Grid[s-specialNctaid])
	}
	switch s {
	case specialLane:
		return uint32(lane)
	case specialWarp:
		return uint32(w.index)
	case specialWarps:
		return uint32(len(w.block.warps))
	case specialSM:
		return 0 // one multiprocessor runs everything
	case specialSMs:
		return 1
	case specialMaskEqual:
		return bit
	case specialMaskLess:
		return bit - 1
	case specialMaskLessEqual:
		return bit | (bit - 1)
	case specialMaskGreater:
		return ^(bit | (bit - 1))
	case specialMaskGreaterEqual:
		return ^(bit - 1)
	case specialDynamicShared:
		return uint32(launch.Shared)
	}
	return uint32(len(w.block.shared)) // specialTotalShared
}
