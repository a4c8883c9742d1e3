package npy

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// file is a .npy file of version 1.0, or with a longer header of 2.0.
func file(version byte, kind, order, shape, body string) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", kind, order, shape)
	start := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		start = binary.LittleEndian.AppendUint16(start, uint16(len(header)))
	} else {
		start = binary.LittleEndian.AppendUint32(start, uint32(len(header)))
	}
	return append(start, header+body...)
}

// Values of every type, written out by the types' definitions.
func TestFloats(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want []float64
	}{
		"bool":    {file(1, "|b1", "False", "2,", "\x00\x01"), []float64{0, 1}},
		"byte":    {file(2, "|i1", "False", "2,", "\xff\x7f"), []float64{-1, 127}},
		"uint16":  {file(3, "<u2", "False", "1,", "\xff\xff"), []float64{65535}},
		"int16":   {file(1, ">i2", "False", "1,", "\xff\xfe"), []float64{-2}},
		"uint32":  {file(1, "<u4", "False", "1,", "\xff\xff\xff\xff"), []float64{1<<32 - 1}},
		"int64":   {file(1, ">i8", "False", "1,", "\xff\xff\xff\xff\xff\xff\xff\xfd"), []float64{-3}},
		"float16": {file(1, "<f2", "False", "5,", "\x00\x3c\x00\xc0\xff\x7b\x01\x00\x00\xfc"), []float64{1, -2, 65504, 0x1p-24, math.Inf(-1)}},
		"float32": {file(1, ">f4", "False", "1,", "\xc0\x20\x00\x00"), []float64{-2.5}},
		"scalar":  {file(1, "<f8", "False", "", "\x00\x00\x00\x00\x00\x00\xf0\x3f"), []float64{1}},
		// Element (i, j, k) of 2 x 3 x 2, written as ijk, the first index fastest.
		"fortran": {file(1, "|u1", "True", "2, 3, 2", "\x00\x64\x0a\x6e\x14\x78\x01\x65\x0b\x6f\x15\x79"), []float64{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121}},
		"none":    {file(1, "<f8", "False", "0, 3", ""), []float64{}},
	} {
		a, err := Parse(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := a.Floats(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s is %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, content := range [][]byte{
		file(1, "|S3", "False", "2,", "abca\x00\x00"), file(1, "<U3", "True", "2,", "a\x00\x00\x00b\x00\x00\x00c\x00\x00\x00a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	} {
		a, err := Parse(content)
		if err != nil {
			t.Fatal(err)
		}
		if texts, err := a.Texts(); err != nil || !slices.Equal(texts, []string{"abc", "a"}) {
			t.Errorf("%s is %q, %v", a.Type, texts, err)
		}
		if _, err := a.Floats(); err == nil {
			t.Errorf("%s has numbers", a.Type)
		}
	}
}

func TestErrors(t *testing.T) {
	for want, content := range map[string][]byte{
		"no .npy file":                   file(4, "<f8", "False", "1,", "12345678"),
		"ends in its header":             []byte("\x93NUMPY\x01\x00\x80\x00{"),
		"its header is not what":         file(1, "<f8", "Maybe", "1,", "12345678"),
		`of type "|O8"`:                  file(1, "|O8", "False", "1,", "12345678"),
		"fewer than its shape":           file(1, "<f8", "False", "4611686018427387904, 8", "12345678"),
		"9 bytes where its shape [1] ne": file(1, "<f8", "False", "1,", "123456789"),
		`of type "|S0"`:                  file(1, "|S0", "False", "1,", ""),
	} {
		if _, err := Parse(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
