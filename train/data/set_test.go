package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyFolder returns a data folder with the made set.
func tinyFolder(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range tinyContents() {
		writeFile(t, filepath.Join(dir, "tiny", name), content)
	}
	return dir
}

func TestLoadInterleavesChannels(t *testing.T) {
	set, err := tinyLibrary().load(t.Context(), tinyFolder(t), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	for name, split := range map[string]Rows{"train.bin": set.Train(), "test.bin": set.Test()} {
		content := tinyContents()[name]
		if split.Len() != len(content)/tinyBytes {
			t.Fatalf("%s has %d pictures", name, split.Len())
		}
		for n := range split.Len() {
			record := content[n*tinyBytes:]
			if split.Labels[n] != int32(record[0]) {
				t.Fatalf("%s: label %d is %d instead of %d", name, n, split.Labels[n], record[0])
			}
			for y := range 32 {
				for x := range 32 {
					for c := range 3 {
						got, want := split.Images[((n*32+y)*32+x)*3+c], record[1+(c*32+y)*32+x]
						if got != want {
							t.Fatalf("%s: picture %d, row %d, column %d, channel %d is %d instead of %d", name, n, y, x, c, got, want)
						}
					}
				}
			}
		}
	}
}

func TestLoadAndVerifyRefuseWrongFiles(t *testing.T) {
	right := tinyContents()["test.bin"]
	cases := []struct {
		name    string
		content []byte
		says    string
	}{
		{"truncated", right[:len(right)-1], "is truncated: 92189 of 92190 bytes"},
		{"empty", nil, "is truncated: 0 of 92190 bytes"},
		{"altered", altered(right), "is altered"},
		{"longer", append(bytes.Clone(right), 1, 2, 3), "is longer than the official 92190 bytes"},
	}
	l := tinyLibrary()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := tinyFolder(t)
			path := filepath.Join(dir, "tiny", "test.bin")
			writeFile(t, path, c.content)
			_, loadErr := l.load(t.Context(), dir, "tiny")
			for what, err := range map[string]error{"load": loadErr, "verify": l.verify(t.Context(), dir, "tiny")} {
				checkContains(t, err, what+" tiny", path, c.says, hashOf(right), hashOf(c.content), "diaghess data fetch tiny")
				var wrong *IntegrityError
				if !errors.As(err, &wrong) || wrong.Size != int64(len(c.content)) {
					t.Errorf("%s: no IntegrityError in the chain, or another one: %v", what, err)
				}
			}
		})
	}
}

func TestLoadAndVerifyOfAMissingSet(t *testing.T) {
	l := tinyLibrary()
	dir := t.TempDir()
	_, loadErr := l.load(t.Context(), dir, "tiny")
	for _, err := range []error{loadErr, l.verify(t.Context(), dir, "tiny")} {
		checkContains(t, err, "diaghess data fetch tiny")
		if !errors.Is(err, ErrMissing) {
			t.Errorf("ErrMissing is not in the chain of %v", err)
		}
	}
	_, err := l.load(t.Context(), dir, "tny")
	checkContains(t, err, `"tny"`, "known are tiny")
}

// A pipe in the place of a file is refused: reading it might never end.
func TestPipeIsNoFile(t *testing.T) {
	l, dir := tinyLibrary(), t.TempDir()
	e, err := l.find("tiny")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tiny"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range e.files {
		if err := os.Symlink(os.DevNull, e.path(dir, f)); err != nil {
			t.Skip(err)
		}
	}
	_, loadErr := l.load(t.Context(), dir, "tiny")
	for _, err := range []error{loadErr, l.verify(t.Context(), dir, "tiny")} {
		checkContains(t, err, "is not a regular file")
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tinyLibrary().load(ctx, tinyFolder(t), "tiny"); !errors.Is(err, context.Canceled) {
		t.Errorf("load returned %v", err)
	}
}

func TestListStates(t *testing.T) {
	dir := tinyFolder(t)
	state := func() State {
		sets, err := tinyLibrary().list(dir)
		must(err)
		return sets[0].State
	}
	path := filepath.Join(dir, "tiny", "test.bin")
	if got := state(); got != Present {
		t.Errorf("a complete set is %q", got)
	}
	writeFile(t, path, []byte{1})
	if got := state(); got != Damaged {
		t.Errorf("a set with a short file is %q", got)
	}
	must(os.Remove(path))
	if got := state(); got != Incomplete {
		t.Errorf("a set with a file missing is %q", got)
	}
	must(os.RemoveAll(filepath.Join(dir, "tiny")))
	if got := state(); got != Absent {
		t.Errorf("a set with no file is %q", got)
	}
}

// idxOf makes an IDX file.
func idxOf(magic uint32, dimensions []uint32, elements ...byte) []byte {
	content := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dimensions {
		content = binary.BigEndian.AppendUint32(content, d)
	}
	return append(content, elements...)
}

func TestDecoders(t *testing.T) {
	colour := Set{Height: 1, Width: 2, Channels: 3, Classes: 10}
	gray := Set{Height: 1, Width: 2, Channels: 1, Classes: 10}
	images := idxOf(0x803, []uint32{2, 1, 2}, 11, 12, 13, 14)
	labels := idxOf(0x801, []uint32{2}, 3, 9)
	cases := []struct {
		name       string
		decode     decoder
		shape      Set
		content    []byte
		wantImages []uint8
		wantLabels []int32
		says       string
	}{
		{name: "CIFAR-10", decode: decodeCIFAR(1), shape: colour,
			content:    []byte{9, 1, 2, 3, 4, 5, 6, 0, 11, 12, 13, 14, 15, 16},
			wantImages: []uint8{1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}, wantLabels: []int32{9, 0}},
		{name: "CIFAR-100 takes the fine label", decode: decodeCIFAR(2), shape: colour,
			content:    []byte{19, 9, 1, 2, 3, 4, 5, 6, 18, 0, 11, 12, 13, 14, 15, 16},
			wantImages: []uint8{1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16}, wantLabels: []int32{9, 0}},
		{name: "CIFAR, short", decode: decodeCIFAR(1), shape: colour, content: make([]byte, 13), says: "13 bytes, where 2 records of 7 bytes take 14"},
		{name: "CIFAR, long", decode: decodeCIFAR(1), shape: colour, content: make([]byte, 15), says: "15 bytes"},
		{name: "CIFAR, label", decode: decodeCIFAR(1), shape: colour, content: []byte{9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0}, says: "record 1 has label 10"},

		{name: "IDX images", decode: decodeIDXImages, shape: gray, content: images, wantImages: []uint8{11, 12, 13, 14}, wantLabels: []int32{0, 0}},
		{name: "IDX images, shorter than the header", decode: decodeIDXImages, shape: gray, content: labels, says: "less than an IDX header"},
		{name: "IDX images, wrong magic", decode: decodeIDXImages, shape: gray, content: idxOf(0x801, []uint32{2, 1, 2}, 1, 2, 3, 4), says: "begins with 0x00000801 instead of 0x00000803"},
		{name: "IDX images, short", decode: decodeIDXImages, shape: gray, content: images[:len(images)-1], says: "3 bytes follow the IDX header, where 4 belong"},
		{name: "IDX images, long", decode: decodeIDXImages, shape: gray, content: append(bytes.Clone(images), 0), says: "5 bytes follow"},
		{name: "IDX images, count", decode: decodeIDXImages, shape: gray, content: idxOf(0x803, []uint32{3, 1, 2}, 1, 2, 3, 4), says: "dimension 0 of the IDX file is 3 instead of 2"},
		{name: "IDX images, width", decode: decodeIDXImages, shape: gray, content: idxOf(0x803, []uint32{2, 2, 1}, 1, 2, 3, 4), says: "dimension 1"},
		{name: "IDX images, empty", decode: decodeIDXImages, shape: gray, says: "0 bytes are less"},

		{name: "IDX labels", decode: decodeIDXLabels, shape: gray, content: labels, wantImages: []uint8{0, 0, 0, 0}, wantLabels: []int32{3, 9}},
		{name: "IDX labels, wrong magic", decode: decodeIDXLabels, shape: gray, content: idxOf(0x803, []uint32{2}, 3, 9), says: "begins with 0x00000803"},
		{name: "IDX labels, short", decode: decodeIDXLabels, shape: gray, content: labels[:9], says: "1 bytes follow"},
		{name: "IDX labels, label", decode: decodeIDXLabels, shape: gray, content: idxOf(0x801, []uint32{2}, 3, 10), says: "label 1 is 10"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			gotImages := make([]uint8, 2*c.shape.Size())
			gotLabels := make([]int32, 2)
			err := c.decode(c.content, &c.shape, gotImages, gotLabels)
			if c.says != "" {
				checkContains(t, err, c.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(gotImages, c.wantImages) || !slices.Equal(gotLabels, c.wantLabels) {
				t.Errorf("decoded %v, %v instead of %v, %v", gotImages, gotLabels, c.wantImages, c.wantLabels)
			}
		})
	}
}

func TestDigits(t *testing.T) {
	set, err := Load(t.Context(), t.TempDir(), "digits")
	if err != nil {
		t.Fatal(err)
	}
	if set.Train().Len() != 1437 || set.Test().Len() != 360 || set.Size() != 64 {
		t.Fatalf("%d and %d pictures of %d pixels", set.Train().Len(), set.Test().Len(), set.Size())
	}
	labels := slices.Concat(set.Train().Labels, set.Test().Labels)
	images := slices.Concat(set.Train().Images, set.Test().Images)
	// Of scikit-learn: np.bincount(load_digits().target), .data.mean().
	if got, want := classCounts(labels, 10), []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; !slices.Equal(got, want) {
		t.Errorf("class counts %v instead of %v", got, want)
	}
	sum := 0
	for _, pixel := range images {
		sum += int(pixel)
	}
	if mean := float64(sum) / float64(len(images)); mean != 4.884164579855314 {
		t.Errorf("the mean of the pixels is %v", mean)
	}
	if slices.Max(images) != 16 {
		t.Errorf("the largest pixel is %d", slices.Max(images))
	}
	// The first two rows of load_digits().images[0].
	first := []uint8{0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0}
	if !slices.Equal(images[:16], first) || labels[0] != 0 {
		t.Errorf("the first picture begins with %v and is a %d", images[:16], labels[0])
	}
	for what, err := range map[string]error{
		"verify": (Shelf{Dir: t.TempDir()}).Verify(t.Context(), "digits"),
		"fetch":  (Shelf{Dir: t.TempDir()}).Fetch(t.Context(), "digits", FetchOptions{}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The same pictures are in another distribution: Debian's package python3-sklearn
// 1.2.1 has digits.csv.gz compressed anew, with the same text in it.
func TestDigitsTextIsDebians(t *testing.T) {
	unzipped, err := gzip.NewReader(bytes.NewReader(digitsArchive))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	const debian = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
	if got := hashOf(text); got != debian {
		t.Errorf("the SHA-256 of digits.csv is %s instead of %s", got, debian)
	}
}

func TestDigitsDecoderRefusesWrongLines(t *testing.T) {
	line := strings.Repeat("16,", 64) + "9\n"
	cases := []struct{ name, text, says string }{
		{"right", line + line, ""},
		{"a line more", line + line + line, "3 lines instead of 2"},
		{"a number less", line + line[3:], "line 2 has 64 numbers instead of 65"},
		{"a pixel too large", line + "17" + line[2:], `line 2: "17" is no number from 0 to 16`},
		{"a class too large", line + line[:len(line)-2] + "10\n", `line 2: "10" is no number from 0 to 9`},
		{"no number", "x" + line[2:] + line, `line 1: "x"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := entry{shape: Set{Height: 8, Width: 8, Channels: 1, Classes: 10, Divisor: 16}}
			set := e.shape
			e.train, e.test = 1, 1
			e.allocate(&set)
			err := decodeDigits(gzipOf([]byte(c.text)), &set)
			if c.says != "" {
				checkContains(t, err, c.says)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func classCounts(labels []int32, classes int) []int {
	counts := make([]int, classes)
	for _, label := range labels {
		counts[label]++
	}
	return counts
}
