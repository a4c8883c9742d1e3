package data

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder writes what one official file holds to images [N, H, W, C] and
// labels [N]; a file of pictures alone leaves labels, and the other way round.
// The shape is the set's. A decoder checks the form of its input itself, so that
// it does not depend on the file's hash having been checked.
type decoder func(content []byte, shape *Set, images []uint8, labels []int32) error

// decodeCIFAR decodes the "binary version" of CIFAR-10 and CIFAR-100. A record
// is labelBytes labels, of which the last is the (fine) class, and the red, the
// green and the blue plane, each in rows from the top.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html
func decodeCIFAR(labelBytes int) decoder {
	return func(content []byte, shape *Set, images []uint8, labels []int32) error {
		plane := shape.Height * shape.Width
		picture := plane * shape.Channels
		record := labelBytes + picture
		if want := len(labels) * record; len(content) != want {
			return fmt.Errorf("%d bytes, where %d records of %d bytes take %d", len(content), len(labels), record, want)
		}
		for n := range labels {
			source := content[n*record : (n+1)*record]
			label := source[labelBytes-1]
			if int(label) >= shape.Classes {
				return fmt.Errorf("record %d has label %d, where there are %d classes", n, label, shape.Classes)
			}
			labels[n] = int32(label)
			interleave(images[n*picture:(n+1)*picture], source[labelBytes:], plane)
		}
		return nil
	}
}

// interleave turns three colour planes of the given size, one after the other,
// into pixels of three bytes.
func interleave(pixels, planes []uint8, plane int) {
	red, green, blue := planes[:plane], planes[plane:2*plane], planes[2*plane:3*plane]
	for i := range red {
		pixel := pixels[3*i : 3*i+3 : 3*i+3]
		pixel[0], pixel[1], pixel[2] = red[i], green[i], blue[i]
	}
}

// The first four bytes of an IDX file: two zeros, the type of an element (8 is
// an unsigned byte) and the number of dimensions, each of which follows as a
// big-endian uint32. Source: http://yann.lecun.com/exdb/mnist/
const (
	idxLabelsMagic = 0x00000801
	idxImagesMagic = 0x00000803
)

// decodeIDXImages decodes an IDX file of unsigned bytes [N, H, W].
func decodeIDXImages(content []byte, shape *Set, images []uint8, labels []int32) error {
	pixels, err := idxElements(content, idxImagesMagic, len(labels), shape.Height, shape.Width)
	if err != nil {
		return err
	}
	copy(images, pixels)
	return nil
}

// decodeIDXLabels decodes an IDX file of unsigned bytes [N].
func decodeIDXLabels(content []byte, shape *Set, images []uint8, labels []int32) error {
	classes, err := idxElements(content, idxLabelsMagic, len(labels))
	if err != nil {
		return err
	}
	for n, label := range classes {
		if int(label) >= shape.Classes {
			return fmt.Errorf("label %d is %d, where there are %d classes", n, label, shape.Classes)
		}
		labels[n] = int32(label)
	}
	return nil
}

// idxElements returns the elements of an IDX file of unsigned bytes after it has
// checked the header and the length.
func idxElements(content []byte, magic uint32, dimensions ...int) ([]byte, error) {
	header := 4 + 4*len(dimensions)
	if len(content) < header {
		return nil, fmt.Errorf("%d bytes are less than an IDX header of %d bytes", len(content), header)
	}
	if found := binary.BigEndian.Uint32(content); found != magic {
		return nil, fmt.Errorf("the IDX file begins with %#08x instead of %#08x", found, magic)
	}
	elements := 1
	for i, want := range dimensions {
		if found := binary.BigEndian.Uint32(content[4+4*i:]); int64(found) != int64(want) {
			return nil, fmt.Errorf("dimension %d of the IDX file is %d instead of %d", i, found, want)
		}
		if want != 0 && elements > math.MaxInt/want {
			return nil, fmt.Errorf("the dimensions %v of the IDX file are more than any memory has", dimensions)
		}
		elements *= want
	}
	if found := len(content) - header; found != elements {
		return nil, fmt.Errorf("%d bytes follow the IDX header, where %d belong", found, elements)
	}
	return content[header:], nil
}
