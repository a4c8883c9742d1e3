package kernels

import "unsafe"

// The vector methods of columns.go do the first whole vectors of a block's channels.
// Each walk sums the rows of one warp of the CUDA block and adds the result to the
// totals. A warp without rows is left out: it would add 0 to totals that are never -0.

//go:noescape
func columnsSum(p *walk)

//go:noescape
func columnsSquares(p *walk)

//go:noescape
func columnsReduce(p *walk)

// withMoment is a bit of columnsReduce's variants, beside withMask.
const withMoment = 2

// columnTile is the rows of a tile of the walks that write a block's channels: few, for
// rows that are a multiple of 2,048 bytes apart share a few sets of the first cache,
// which must keep a row's line until its last vector.
const columnTile = 4

// blockNumbers are numbers of a block's channels.
type blockNumbers [channelsPerBlock]float64

// halves are the addresses of the numbers of the lower and of the upper half of a vector.
func (n *blockNumbers) halves() (lower, upper unsafe.Pointer) {
	return unsafe.Pointer(&n[0]), unsafe.Pointer(&n[lanes/2])
}

// warpWalks calls run with the first row of each warp of a CUDA block; rows and tile
// of p are set. The warp's next row is warpsPerBlock rows further.
func (p *walk) warpWalks(rows int, run func(row int)) {
	for warp := range min(warpsPerBlock, rows) {
		p.rows = blocksOf(rows-warp, warpsPerBlock)
		p.tile = p.rows
		run(warp)
	}
}

func (k *ColumnsForward) vector(first, last int) int {
	channels, rows := int(k.Channels), int(k.Rows)
	p := walk{elements: whole(last-first, lanes)}
	if p.elements == 0 {
		return 0
	}
	n := rows * channels
	y, a, mask := k.Y.Host()[:n], k.A.Host()[:n], k.Mask.Host()
	var mean, squares blockNumbers
	p.channels[0], p.channels[1] = mean.halves()
	p.warpWalks(rows, func(row int) {
		p.streams[0] = from(y, row*channels+first, warpsPerBlock*channels)
		columnsSum(&p)
	})
	for c := range mean {
		mean[c] /= float64(rows)
	}
	p.channels[2], p.channels[3] = squares.halves()
	p.warpWalks(rows, func(row int) {
		p.streams[0] = from(y, row*channels+first, warpsPerBlock*channels)
		columnsSquares(&p)
	})
	k.finish(first, mean[:p.elements], squares[:])
	p.rows, p.tile, p.variant = rows, columnTile, having(mask, withMask)
	p.streams = [7]walkStream{from(y, first, channels), from(a, first, channels), from(mask, first, channels)}
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()[first:]), each(k.Scale.Host()[first:]), each(k.Beta.Host()[first:])}
	p.scalars = [24]float32{k.Slope, k.Keep}
	epilogueForward(&p)
	return p.elements
}

func (k *ColumnsBackward) vector(first, last int) int {
	channels, rows := int(k.Channels), int(k.Rows)
	p := walk{elements: whole(last-first, lanes)}
	if p.elements == 0 {
		return 0
	}
	n := rows * channels
	y, da, dy, mask := k.Y.Host()[:n], k.DA.Host()[:n], k.DY.Host(), k.Mask.Host()
	var sum, moment blockNumbers
	p.variant = having(mask, withMask) + having(k.DGamma.Host(), withMoment)
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()[first:]), each(k.Scale.Host()[first:]), each(k.Beta.Host()[first:])}
	p.channels[3], p.channels[4] = sum.halves()
	p.channels[5], p.channels[6] = moment.halves()
	p.scalars = [24]float32{k.Slope, k.Keep}
	p.warpWalks(rows, func(row int) {
		at, step := row*channels+first, warpsPerBlock*channels
		p.streams = [7]walkStream{from(y, at, step), from(da, at, step), from(mask, at, step)}
		columnsReduce(&p)
	})
	slope, offset := k.finish(first, sum[:p.elements], moment[:])
	if dy == nil {
		return p.elements
	}
	p.rows, p.tile, p.variant = rows, columnTile, having(mask, withMask)
	p.streams = [7]walkStream{from(y, first, channels), from(da, first, channels), from(mask, first, channels), from(dy[:n], first, channels)}
	p.channels[3], p.channels[4] = each(slope[:]), each(offset[:])
	epilogueBackward(&p)
	return p.elements
}
