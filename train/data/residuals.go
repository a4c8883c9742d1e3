package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// unpackResiduals makes the official files of CIFAR-100 of a compact form of them, a
// gzip stream that holds for each file, in order, of n pictures:
//
//   - n coarse labels, then n fine labels;
//   - n x 1,024 residuals of the plane G, then of R - G, then of B - G, in rows from the top.
//
// The residual of a value v of a plane is v - p modulo 256, p its prediction from the
// values w at the left, n above and q above at the left: w + n - q, held between
// min(w, n) and max(w, n), the median edge detector of JPEG-LS. In the top row it is w, in
// the left column n, in the corner 0.
func unpackResiduals(files []file) unpacker {
	return func(ctx context.Context, archive *os.File, put putter) error {
		unzipped, err := gzip.NewReader(contextReader{ctx, archive})
		if err != nil {
			return err
		}
		contents := make([][]byte, len(files))
		for i, f := range files {
			contents[i], err = readResiduals(unzipped, f.count)
			if errors.Is(err, io.EOF) { // between two reads
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		// At its end gzip compares its checksum: before that nothing is put.
		over, err := io.Copy(io.Discard, unzipped)
		if err == nil && over > 0 {
			err = fmt.Errorf("%d bytes follow the last file", over)
		}
		if err != nil {
			return err
		}
		for i, f := range files {
			if err := put(f.name, bytes.NewReader(contents[i])); err != nil {
				return err
			}
		}
		return nil
	}
}

// The extent of a CIFAR picture.
const (
	cifarSide  = 32
	cifarPlane = cifarSide * cifarSide
)

// readResiduals returns the official file of count pictures.
func readResiduals(from io.Reader, count int) ([]byte, error) {
	const record = 2 + 3*cifarPlane
	content := make([]byte, count*record)
	column := make([]byte, count)
	for label := range 2 {
		if _, err := io.ReadFull(from, column); err != nil {
			return nil, err
		}
		for i, l := range column {
			content[i*record+label] = l
		}
	}
	residuals, zeros := make([]byte, cifarPlane), make([]byte, cifarPlane)
	for _, channel := range []int{1, 0, 2} {
		for i := range count {
			if _, err := io.ReadFull(from, residuals); err != nil {
				return nil, err
			}
			planes := content[i*record+2 : (i+1)*record]
			base := zeros
			if channel != 1 {
				base = planes[cifarPlane : 2*cifarPlane]
			}
			restore(planes[channel*cifarPlane:(channel+1)*cifarPlane], base, residuals)
		}
	}
	return content, nil
}

// restore sets the plane of which base was subtracted before the residuals were taken.
func restore(plane, base, residuals []byte) {
	const line = cifarSide + 1
	// The difference, below and right of a border of zeros: from these the prediction is
	// w in the top row and n in the left column.
	var v [line * line]int
	for j := range cifarPlane {
		i := (j/cifarSide+1)*line + j%cifarSide + 1
		w, n, q := v[i-1], v[i-line], v[i-line-1]
		p := max(min(w, n), min(max(w, n), w+n-q))
		plane[j] = byte(int(base[j]) + p + int(residuals[j]))
		v[i] = int(plane[j]) - int(base[j])
	}
}
