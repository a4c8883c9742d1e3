// Package npy reads arrays of NumPy: .npy files, which .npz archives hold too.
//
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// What does not belong here: what an array means.
package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Array is an array as it lies in a file.
type Array struct {
	Shape   []int
	Type    string // of an element, as NumPy writes it: "<f4"
	Fortran bool   // the first index varies fastest
	Body    []byte // all elements
}

// header is the dictionary of a .npy file as numpy.save writes it, which is padded with
// spaces.
var header = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \} *\n$`)

// elementType matches the types that can be read: booleans, whole numbers, floats, and texts.
var elementType = regexp.MustCompile(`^[<>|=](b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,8})$`)

// Parse reads a .npy file of version 1.0, 2.0 or 3.0. The array shares the content's memory.
func Parse(content []byte) (a Array, err error) {
	rest, found := bytes.CutPrefix(content, []byte("\x93NUMPY"))
	if !found || len(rest) < 4 || rest[0] < 1 || rest[0] > 3 || rest[1] != 0 {
		return a, errors.New("it is no .npy file of version 1.0, 2.0 or 3.0")
	}
	length, body := int(binary.LittleEndian.Uint16(rest[2:])), rest[4:]
	if rest[0] > 1 {
		if len(rest) < 6 {
			return a, errors.New("it ends in its header")
		}
		length, body = int(binary.LittleEndian.Uint32(rest[2:])), rest[6:]
	}
	if length > len(body) {
		return a, errors.New("it ends in its header")
	}
	fields := header.FindSubmatch(body[:length])
	if fields == nil {
		return a, fmt.Errorf("its header is not what numpy.save writes: %.200q", body[:length])
	}
	a.Type, a.Fortran, a.Body = string(fields[1]), string(fields[2]) == "True", body[length:]
	if !elementType.MatchString(a.Type) {
		return a, fmt.Errorf("its elements are of type %q, where numbers, booleans or texts are expected", a.Type)
	}
	elements, most := 1, len(a.Body)/a.size()
	for part := range strings.FieldsFuncSeq(string(fields[3]), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(part)
		if err != nil || n != 0 && elements > most/n {
			return a, fmt.Errorf("%d bytes are fewer than its shape (%s) needs", len(a.Body), fields[3])
		}
		a.Shape, elements = append(a.Shape, n), elements*n
	}
	if wanted := elements * a.size(); len(a.Body) != wanted {
		return a, fmt.Errorf("%d bytes where its shape %v needs %d", len(a.Body), a.Shape, wanted)
	}
	return a, nil
}

// size returns the bytes of an element.
func (a Array) size() int {
	n, _ := strconv.Atoi(a.Type[2:])
	if a.Type[1] == 'U' {
		n *= 4
	}
	return n
}

// Len returns the number of elements.
func (a Array) Len() int {
	n := 1
	for _, side := range a.Shape {
		n *= side
	}
	return n
}

// Bytes says whether the elements are unsigned bytes.
func (a Array) Bytes() bool { return a.Type[1:] == "u1" }

// Text says whether the elements are texts.
func (a Array) Text() bool { return a.Type[1] == 'S' || a.Type[1] == 'U' }

// order returns how the bytes of a number follow each other.
func (a Array) order() binary.ByteOrder {
	if a.Type[0] == '>' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// inOrder returns elements, which are as in the body, in C order.
func inOrder[T any](a Array, elements []T) []T {
	if !a.Fortran {
		return elements
	}
	sorted, index := make([]T, len(elements)), make([]int, len(a.Shape))
	for i := range sorted {
		at, stride := 0, 1
		for axis, side := range a.Shape {
			at += index[axis] * stride
			stride *= side
		}
		sorted[i] = elements[at]
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < a.Shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return sorted
}

// floats are the readers of numbers, by type.
var floats = map[string]func(Array) ([]float64, error){
	"b1": convert[uint8], "u1": convert[uint8], "u2": convert[uint16], "u4": convert[uint32], "u8": convert[uint64],
	"i1": convert[int8], "i2": convert[int16], "i4": convert[int32], "i8": convert[int64], "f4": convert[float32], "f8": convert[float64],
	"f2": func(a Array) ([]float64, error) {
		values, err := convert[uint16](a)
		for i, bits := range values {
			values[i] = half(uint16(bits))
		}
		return values, err
	},
}

func convert[T uint8 | uint16 | uint32 | uint64 | int8 | int16 | int32 | int64 | float32 | float64](a Array) ([]float64, error) {
	elements, values := make([]T, a.Len()), make([]float64, a.Len())
	_, err := binary.Decode(a.Body, a.order(), elements)
	for i, v := range elements {
		values[i] = float64(v)
	}
	return values, err
}

// Floats returns the numbers in C order.
func (a Array) Floats() ([]float64, error) {
	read, ok := floats[a.Type[1:]]
	if !ok {
		return nil, fmt.Errorf("its elements are texts (%s), where numbers are expected", a.Type)
	}
	values, err := read(a)
	return inOrder(a, values), err
}

// half is the value of a 16-bit float of IEEE 754.
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	v := math.Ldexp(1024+fraction, exponent-25)
	switch {
	case exponent == 0:
		v = math.Ldexp(fraction, -24)
	case exponent == 31 && fraction == 0:
		v = math.Inf(1)
	case exponent == 31:
		v = math.NaN()
	}
	if bits>>15 == 1 {
		return -v
	}
	return v
}

// Texts returns the texts in C order.
func (a Array) Texts() ([]string, error) {
	if !a.Text() {
		return nil, fmt.Errorf("its elements are numbers (%s), where texts are expected", a.Type)
	}
	var texts []string
	for b := range slices.Chunk(a.Body, a.size()) {
		if a.Type[1] == 'U' {
			var text []byte
			for ; len(b) > 0; b = b[4:] {
				text = utf8.AppendRune(text, rune(a.order().Uint32(b)))
			}
			b = text
		}
		texts = append(texts, strings.TrimRight(string(b), "\x00"))
	}
	return inOrder(a, texts), nil
}
