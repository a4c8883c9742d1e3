package data

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// npyOf is a .npy file of version 1.0.
func npyOf(kind, shape string, values any) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", kind, shape)
	file := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	return must1(binary.Append(append(file, header...), binary.LittleEndian, values))
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

func npzOf(arrays map[string][]byte) []byte {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, content := range arrays {
		must1(must1(archive.Create(name + ".npy")).Write(content))
	}
	must(archive.Close())
	return out.Bytes()
}

func pngOf(picture image.Image) []byte {
	var out bytes.Buffer
	must(png.Encode(&out, picture))
	return out.Bytes()
}

func parquetOf[T any](rows []T) []byte {
	var out bytes.Buffer
	must(parquet.Write(&out, rows))
	return out.Bytes()
}

// grey is a picture of 3 x 2 whose pixels count up from a value.
func grey(from uint8) image.Image {
	picture := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range picture.Pix {
		picture.Pix[i] = from + uint8(i)
	}
	return picture
}

// The forms of rows of parquet files.
type (
	parquetNumbers struct {
		A     float64 `parquet:"a"`
		Kind  int32   `parquet:"kind"`
		B     int64   `parquet:"b"`
		Ready bool    `parquet:"ready"`
	}
	parquetPicture struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Label string `parquet:"label"`
		ID    int64  `parquet:"id"`
	}
	parquetHoles struct {
		A     *float64 `parquet:"a,optional"`
		Label int64    `parquet:"label"`
	}
	parquetIndex struct {
		A     float64 `parquet:"a"`
		Label int64   `parquet:"label"`
		Index int64   `parquet:"__index_level_0__"`
	}
	parquetLists struct {
		A     []float64 `parquet:"a,list"`
		Label int64     `parquet:"label"`
	}
)

// folderOf writes files into a folder of its own.
func folderOf(t *testing.T, files map[string][]byte) string {
	dir := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(dir, name), content)
	}
	return dir
}

// The same rows in all forms are the same table.
func TestReadNumbers(t *testing.T) {
	x, y := []float64{1.5, -2, 0, 3e-5, 4, 1, 7, 8, 1, 0.1, 5, 0}, []int64{10, 9, 10, 9}
	var rows []parquetNumbers
	text := map[string]string{",": "a,kind,b,ready\n", ";": "\uFEFF\"a\";kind;b;ready\r\n", "\t": "a\tkind\tb\tready\n"}
	for i := range y {
		rows = append(rows, parquetNumbers{x[3*i], int32(y[i]), int64(x[3*i+1]), x[3*i+2] == 1})
		for separator := range text {
			fields := []string{fmt.Sprint(x[3*i]), fmt.Sprint(y[i]), fmt.Sprint(x[3*i+1]), fmt.Sprint(x[3*i+2])}
			text[separator] += strings.Join(fields, separator) + "\n"
		}
	}
	var transposed []float64
	for column := range 3 {
		for row := range 4 {
			transposed = append(transposed, x[3*row+column])
		}
	}
	dir := folderOf(t, map[string][]byte{
		"a.csv": []byte(text[","]), "b.csv": []byte(text[";"]), "c.tsv": []byte(text["\t"]), "d.csv.gz": gzipOf([]byte(text[","])),
		"e.parquet": parquetOf(rows),
		"f.npz":     npzOf(map[string][]byte{"X": npyOf("<f8", "4, 3", x), "y": npyOf("<i8", "4,", y)}),
		"g.npy":     bytes.Replace(npyOf("<f8", "4, 3", transposed), []byte("False"), []byte("True "), 1), "y.npy": npyOf("<i8", "4, 1", y),
		"h.npz": npzOf(map[string][]byte{"x_train": npyOf("<f8", "3, 3", x[:9]), "y_train": npyOf("<i8", "3,", y[:3]), "x_test": npyOf("<f8", "1, 3", x[9:]), "y_test": npyOf("<i8", "1,", y[3:])}),
		"i.csv": []byte(strings.Join(strings.Split(text[","], "\n")[:4], "\n")), "test.csv": []byte("a,kind,b,ready\n\n.1,9,5,0"),
	})
	t.Chdir(dir)
	want := Table{Shape: []int{3}, Values: x, Labels: []int32{1, 0, 1, 0}, Classes: []string{"9", "10"}}
	for spec, c := range map[string]struct {
		columns bool
		test    int
	}{
		"a.csv:label=kind": {true, 0}, "b.csv:label=kind": {true, 0}, "c.tsv:label=kind": {true, 0}, "d.csv.gz:label=kind": {true, 0}, "e.parquet:label=kind": {true, 0},
		"f.npz": {}, "h.npz": {test: 1}, "i.csv:label=kind,test=test.csv": {true, 1},
	} {
		checkTable(t, spec, want, c.columns, c.test)
	}
	// In Fortran's order: True and a space are as long as False.
	fortran := readFile(t, "g.npy")
	fortran = bytes.Replace(fortran, []byte("True , 'shape'"), []byte("True, 'shape' "), 1)
	writeFile(t, "g.npy", bytes.Replace(fortran, []byte("'shape' : (4, 3), }\n"), []byte("'shape': (4, 3), } \n"), 1))
	checkTable(t, "g.npy:label=y.npy", want, false, 0)
}

func checkTable(t *testing.T, spec string, want Table, columns bool, test int) {
	t.Helper()
	place, o, err := parseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Shelf{}).read(t.Context(), place, o)
	if err != nil {
		t.Error(err)
		return
	}
	want.Test = test
	if columns {
		want.Columns = []string{"a", "b", "ready"}
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("%s is %+v, want %+v", spec, *got, want)
	}
}

func readFile(t *testing.T, path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The same pictures in all forms are the same table.
func TestReadPictures(t *testing.T) {
	var pixels []uint8
	var rows []parquetPicture
	files := map[string][]byte{}
	colours := []string{"1", "1", "0", "0"}
	for i, class := range colours {
		picture := grey(uint8(20 * i))
		content := pngOf(picture)
		files[fmt.Sprintf("pictures/%s/%d.png", class, i)] = content
		side := []string{"train", "test"}[boolToInt(i == 3)]
		files[fmt.Sprintf("sides/%s/%s/%d.PNG", side, class, i)] = content
		row := parquetPicture{Label: class, ID: int64(i)}
		row.Image.Bytes, row.Image.Path = content, "x.png"
		rows = append(rows, row)
		pixels = append(pixels, picture.(*image.Gray).Pix...)
	}
	files["sides/train/.hidden/x"], files["pictures/0/._2.png"] = nil, nil
	files["p.parquet"] = parquetOf(rows)
	files["t10k-images-idx3-ubyte"] = idxOf(idxImagesMagic, []uint32{1, 2, 3}, pixels[18:]...)
	files["t10k-labels-idx1-ubyte"] = idxOf(idxLabelsMagic, []uint32{1}, 0)
	files["train-images-idx3-ubyte"] = idxOf(idxImagesMagic, []uint32{3, 2, 3}, pixels[:18]...)
	files["train-labels-idx1-ubyte"] = idxOf(idxLabelsMagic, []uint32{3}, 1, 1, 0)
	files["p.npz"] = npzOf(map[string][]byte{"x": npyOf("|u1", "4, 2, 3", pixels), "y": npyOf("|S1", "4,", []byte("1100"))})
	dir := folderOf(t, files)
	t.Chdir(dir)
	want := Table{Shape: []int{2, 3, 1}, Bytes: pixels, Divisor: 255, Labels: []int32{1, 1, 0, 0}, Classes: []string{"0", "1"}}
	checkTable(t, "p.parquet", want, false, 0)
	checkTable(t, "p.npz", want, false, 0)
	checkTable(t, "train-images-idx3-ubyte", want, false, 1)
	byClass := want // in the order of the folders
	byClass.Bytes, byClass.Labels = slices.Concat(pixels[12:], pixels[:12]), []int32{0, 0, 1, 1}
	checkTable(t, "pictures", byClass, false, 0)
	byClass.Bytes, byClass.Labels = slices.Concat(pixels[12:18], pixels[:12], pixels[18:]), []int32{0, 1, 1, 0}
	checkTable(t, "sides", byClass, false, 1)

	colour := image.NewRGBA(image.Rect(0, 0, 3, 2))
	draw.Draw(colour, colour.Rect, image.NewUniform(color.RGBA{200, 200, 200, 255}), image.Point{}, draw.Src)
	colour.Set(1, 0, color.RGBA{10, 20, 30, 255})
	var jpg bytes.Buffer
	must(jpeg.Encode(&jpg, colour, &jpeg.Options{Quality: 100}))
	writeFile(t, "coloured/b/1.jpg", jpg.Bytes())
	writeFile(t, "coloured/b/2.png", pngOf(grey(5)))
	writeFile(t, "coloured/a/1.png", pngOf(grey(1)))
	writeFile(t, "coloured/a/2.png", pngOf(colour))
	got, err := (&Shelf{}).read(t.Context(), "coloured", Options{})
	if err != nil || !slices.Equal(got.Shape, []int{2, 3, 3}) || !slices.Equal(got.Bytes[:6], []uint8{1, 1, 1, 2, 2, 2}) || !slices.Equal(got.Bytes[21:24], []uint8{10, 20, 30}) {
		t.Errorf("coloured pictures are %+v, %v", got, err)
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// What cannot be a set is an error that says what and where.
func TestReadErrors(t *testing.T) {
	one := 1.0
	x, y := npyOf("<f8", "2, 1", []float64{1, 2}), npyOf("<i8", "2,", []int64{0, 1})
	whole := parquetOf([]parquetNumbers{{A: 1}, {A: 2, Kind: 1}})
	wide := func(name string, n int) string { return strings.Repeat(name+"\n", n) }
	for name, c := range map[string]struct{ content, options, says string }{
		"nolabel.csv":             {"a,b\n1,2\n", "", "nolabel.csv: name the column with the classes, nolabel.csv:label=COLUMN; there are a, b"},
		"long.csv":                {strings.Repeat("é", 1000) + "\n1\n", "", "there are " + strings.Repeat("é", 60) + "…"},
		"column.csv":              {"a,kind\n1,2\n", "label=kinds", `there is no column "kinds": did you mean kind?`},
		"empty.csv":               {"", "", "empty.csv: it is empty"},
		"rows.csv":                {"a,label\n", "", "rows.csv: it has no rows"},
		"inputs.csv":              {"label\nx\ny\n", "", "inputs.csv: its rows have no inputs beside their class"},
		"cell.csv":                {"a,label\n1,x\n\n ,y\n", "", "cell.csv: line 4, column a is empty"},
		"class.csv":               {"a,label\n1,x\n2,\n", "", "class.csv: line 3 has no class"},
		"nan.csv":                 {"a,label\n1,x\nNaN,y\n", "", "nan.csv: line 3, column a is NaN"},
		"large.csv":               {"a,label\n1,x\n1e39,y\n", "", "large.csv: line 3, column a is 1e+39, which is too large for a float32"},
		"text.csv":                {"a,label\n1,x\ntwo,y\n", "", `text.csv: line 3, column a is "two", where a number is expected`},
		"ragged.csv":              {"a,label\n1,x\n2\n", "", "ragged.csv: line 3 has 1 columns, and the first line 2"},
		"quote.csv":               {"a,label\n1,\"x\n", "", "quote.csv: line 2, character 6"},
		"one.csv":                 {"a,label\n1,x\n2,x\n", "", "one.csv: all 2 rows have the class x"},
		"twice.csv":               {"a,a,label\n1,2,x\n", "", `two columns are called "a"`},
		"index.csv":               {",a,label\n0,1,x\n1,2,y\n", "", "index.csv: column 1 has no name in line 1: name it, or leave it out"},
		"latin.csv":               {"gr\xf6sse,label\n1,x\n2,y\n", "", "latin.csv: line 1 is no UTF-8 text"},
		"latin2.csv":              {"a,label\n1,x\n2,gr\xfcn\n", "", "latin2.csv: line 3 has a class that is no UTF-8 text"},
		"cr.csv":                  {"a,label\r1,x\r2,y\r", "", "cr.csv: its lines end in a carriage return alone"},
		"forms.csv":               {"a,label\n1,1\n2,1.0\n3,1\n4,1.0\n", "", "forms.csv: the classes 1 and 1.0 are the same number"},
		"same.csv":                {"a,label\n1,x\n1,y\n", "", "same.csv: all 2 rows have the same inputs"},
		"unseen.csv":              {"b,label\n1,x\n2,z\n3,x\n4,z\n", "test=other.csv", "other.csv: the class y has rows for testing, and none for training"},
		"names.csv":               {"1,2\n3,4\n", "", "names.csv: line 1 has numbers alone"},
		"measured.csv":            {"a,label\n1,2.5\n2,1\n", "", "measured.csv: the class 2.5 is no whole number"},
		"many.csv":                {"a,label\n1,x\n2,y\n3,z\n4,z\n", "", "4 rows have 3 classes: a class needs rows to learn from"},
		"test.csv":                {"a,label\n1,x\n2,y\n", "test=other.csv", "other.csv: the columns b are not those of test.csv, a"},
		"other.csv":               {"b,label\n1,x\n2,y\n", "test=none.csv", "none.csv"},
		"both.csv":                {"a,label\n1,x\n2,y\n", "test=a.csv,split=.2", "test= and split= are both given"},
		"unknown.csv":             {"a,label\n1,x\n", "lable=a", `unknown key "lable": did you mean label?`},
		"value.csv":               {"a,label\n1,x\n", "split=1", "split 1: give the part of the rows"},
		"kind.bin":                {"x", "", "kind.bin: its kind is not known by its name"},
		"bad.npy":                 {"x", "label=kind.bin", "bad.npy: it is no .npy file"},
		"alone.npy":               {string(x), "", "alone.npy:label=FILE.npy"},
		"flat.npz":                {string(npzOf(map[string][]byte{"x": y, "y": y})), "", "the rows have the shape [2]"},
		"lengths.npz":             {string(npzOf(map[string][]byte{"x": x, "y": npyOf("<i8", "3,", []int64{1, 2, 3})})), "", "2 rows, and y has 3 classes"},
		"array.npz":               {string(npzOf(map[string][]byte{"x": x, "z": y})), "", "there is no array y"},
		"cases.npz":               {string(npzOf(map[string][]byte{"x": x, "X": y, "y": y})), "", ".npy are both the array x: leave one out"},
		"labels.npz":              {string(npzOf(map[string][]byte{"X": x, "Y": y, "y": y})), "", ".npy are both the array y: leave one out"},
		"forms.npz":               {string(npzOf(map[string][]byte{"X": x, "x_train": x, "y_train": y})), "", "forms.npz: there are arrays X and x_train: give X and y, or"},
		"tested.npz":              {string(npzOf(map[string][]byte{"x": x, "y_test": y})), "", "tested.npz: there are arrays x and y_test: give X and y, or"},
		"giant.npz":               {string(npzOf(map[string][]byte{"x": x, "y": npyOf("<i8", "2,", []int64{1 << 53, 1<<53 + 1})})), "", "row 1 has the class 9007199254740992, too large to be told"},
		"first.npz":               {string(npzOf(map[string][]byte{"x": npyOf("|u1", "2, 1, 5, 5", make([]uint8, 50)), "y": y})), "", "[2 1 5 5], with the channels first"},
		"object.npz":              {string(npzOf(map[string][]byte{"x": bytes.Replace(x, []byte("<f8"), []byte("|O8"), 1), "y": y})), "", `array x: its elements are of type "|O8"`},
		"nan.npz":                 {string(npzOf(map[string][]byte{"x": npyOf("<f8", "2, 1", []float64{1, math.Inf(1)}), "y": y})), "", "row 2, column 1 is +Inf"},
		"no.npz":                  {"x", "", "no.npz: it is no .npz archive"},
		"no.parquet":              {"x", "", "no.parquet: it is no parquet file"},
		"cut.parquet":             {string(whole[:len(whole)/2]), "", "cut.parquet: it is no parquet file, or it is cut off"},
		"index.parquet":           {string(parquetOf([]parquetIndex{{1, 0, 0}, {2, 1, 1}})), "", "column __index_level_0__ is the index of pandas"},
		"giant.parquet":           {string(parquetOf([]parquetHoles{{&one, 1 << 53}, {&one, 1}})), "", "giant.parquet: row 1 has the class 9007199254740992"},
		"holes.parquet":           {string(parquetOf([]parquetHoles{{&one, 0}, {nil, 1}})), "", "holes.parquet: row 2, column a is empty"},
		"lists.parquet":           {string(parquetOf([]parquetLists{{[]float64{1}, 0}})), "", "column a has lists"},
		"words.parquet":           {string(parquetOf([]parquetPicture{{Label: "x"}})), "label=id", "words.parquet: row 1, column image: it is no PNG and no JPEG"},
		"bytes.parquet":           {string(parquetOf([]parquetPicture{{Label: "x"}})), "label=image", "column image has pictures, and no classes"},
		"images-idx3-ubyte":       {string(idxOf(idxImagesMagic, []uint32{1, 1, 1}, 1)), "", "labels-idx1-ubyte"},
		"train-images-idx3-ubyte": {string(idxOf(idxImagesMagic, []uint32{4, 1 << 31, 1 << 31})), "", "more than any memory has"},
		"q/class/a.bmp":           {"BM", "", "a.bmp: a picture is a .png, .jpg or .jpeg file"},
		"r/class/a.png":           {string(pngOf(image.NewNRGBA(image.Rect(0, 0, 1, 1)))), "", "a.png: its pixel 0, 0 is transparent"},
		"s/class/a.png":           {string(pngOf(image.NewGray16(image.Rect(0, 0, 1, 1)))), "", "a.png: its values have 16 bits"},
		"x/class/a.png":           {"no picture", "", "a.png: it is no PNG and no JPEG"},
		"y/class/a.txt":           {"x", "", "there is no picture, .png, .jpg or .jpeg"},
		"z/a.png":                 {string(pngOf(grey(0))), "", "there are no folders in it"},
		"huge.csv":                {"a,label\n" + wide("1,x", 200), "", "huge.csv: too large"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, filepath.Join(t.TempDir(), "x"), nil)
			dir := t.TempDir()
			t.Chdir(dir)
			writeFile(t, name, []byte(c.content))
			writeFile(t, "other.csv", []byte("b,label\n1,x\n2,y\n"))
			shelf := Shelf{CheckMemory: func(bytes int64) error {
				if strings.HasPrefix(name, "huge") && bytes > 800 {
					return errors.New("too large")
				}
				return nil
			}}
			place, _, _ := strings.Cut(name, "/")
			spec := place
			if c.options != "" {
				spec += ":" + c.options
			}
			_, err := shelf.Open(t.Context(), spec, Options{})
			checkContains(t, err, c.says)
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
	// Two pairs of files for testing.
	t.Chdir(folderOf(t, map[string][]byte{}))
	for _, part := range []string{"train", "t10k", "test"} {
		writeFile(t, part+"-images-idx3-ubyte", idxOf(idxImagesMagic, []uint32{2, 1, 1}, 1, 2))
		writeFile(t, part+"-labels-idx1-ubyte", idxOf(idxLabelsMagic, []uint32{2}, 0, 1))
	}
	_, err := (&Shelf{}).Open(t.Context(), "train-images-idx3-ubyte", Options{})
	checkContains(t, err, "it has rows for testing in t10k-images-idx3-ubyte and in test-images-idx3-ubyte: move one away")
	// Pictures of two sizes.
	dir := folderOf(t, map[string][]byte{"a/1.png": pngOf(grey(0)), "b/2.png": pngOf(image.NewGray(image.Rect(0, 0, 4, 2)))})
	_, err = (&Shelf{}).Open(t.Context(), dir, Options{})
	checkContains(t, err, filepath.Join(dir, "b", "2.png"), "is 4 x 2 pixels, and those before are 3 x 2")
	// A picture at a place where it has no class. Hidden ones, and folders without any, are left out.
	for extra, says := range map[string]string{
		"a/sub/2.png": "a/sub: this folder in that of the class a has pictures", "a/sub/.x/deep.gif": "", "a/sub/x/deep.gif": "a/sub: this folder",
		"a/.sub/2.png": "", "a/sub/2.txt": "", "c.jpg": "c.jpg: this picture is beside the folders of the classes", ".c.jpg": "", "c.txt": "",
	} {
		dir := folderOf(t, map[string][]byte{"a/1.png": pngOf(grey(0)), "b/1.png": pngOf(grey(1)), "b/2.png": pngOf(grey(2)), extra: pngOf(grey(3))})
		switch _, err := (&Shelf{}).Open(t.Context(), dir, Options{}); {
		case says != "":
			checkContains(t, err, filepath.Join(dir, filepath.FromSlash(says)))
		case err != nil:
			t.Errorf("with %s: %v", extra, err)
		}
	}
	dir = folderOf(t, map[string][]byte{"more/1.png": pngOf(grey(0)), "all/a/1.png": pngOf(grey(0)), "all/b/1.png": pngOf(grey(1))})
	must(os.Symlink(filepath.Join(dir, "more"), filepath.Join(dir, "all", "a", "link")))
	_, err = (&Shelf{}).Open(t.Context(), filepath.Join(dir, "all"), Options{})
	checkContains(t, err, filepath.Join("all", "a", "link")+": this folder")
}

// A separator within a quoted name separates nothing.
func TestSeparator(t *testing.T) {
	for line, want := range map[string]rune{`"a, b, c";label`: ';', `a,"b;c;d;e",label`: ',', "a\tb, c\tlabel": '\t', "label": ','} {
		if got := separator(line); got != want {
			t.Errorf("separator(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestSplitList(t *testing.T) {
	t.Chdir(folderOf(t, map[string][]byte{"a,b.csv": nil, "c, d/e,f.csv": nil, "g.csv": nil}))
	for list, want := range map[string][]string{
		"digits, mnist":                 {"digits", "mnist"},
		"a.csv:label=x,split=.2,digits": {"a.csv:label=x,split=.2", "digits"},
		"a.csv:label=x, splt=.2":        {"a.csv:label=x,splt=.2"},
		"digits,./a=b.csv":              {"digits", "./a=b.csv"},
		// Paths of files that are there may have commas.
		"a,b.csv": {"a,b.csv"}, "x,b.csv": {"x", "b.csv"}, "g.csv:test=a,b.csv": {"g.csv:test=a", "b.csv"},
		"g.csv,a,b.csv:label=x,split=.2, c, d/e,f.csv,digits": {"g.csv", "a,b.csv:label=x,split=.2", "c, d/e,f.csv", "digits"},
		"": nil,
	} {
		if got := SplitList(list); !slices.Equal(got, want) {
			t.Errorf("SplitList(%q) is %q, want %q", list, got, want)
		}
	}
}

// The name of a set tells its content, split and scaling, and nothing else.
func TestOpenNames(t *testing.T) {
	text := "a,b,label\n" + strings.Repeat("1,2,x\n3,5,y\n", 10)
	dir := folderOf(t, map[string][]byte{"My set (1).csv": []byte(text), "again/My set (1).csv": []byte(text + "\n"), "other/My set (1).csv": []byte(text + "3,5,x\n")})
	t.Chdir(dir)
	shelf := Shelf{}
	names := map[string]string{}
	for _, spec := range []string{"My set (1).csv", "again/My set (1).csv", "My set (1).csv:split=.2,scale=train", "My set (1).csv:split=.3", "My set (1).csv:scale=all", "other/My set (1).csv", "digits", "digits:split=.2"} {
		name, err := shelf.Open(t.Context(), spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		names[spec] = name
		if again, err := shelf.Open(t.Context(), spec, Options{}); err != nil || again != name {
			t.Errorf("%s is %s and then %s, %v", spec, name, again, err)
		}
		if set, err := shelf.Load(t.Context(), name); err != nil || set.Name != name {
			t.Errorf("%s is not on the shelf: %v", name, err)
		}
		if origin := shelf.Origin(name); origin != nil {
			if again, err := shelf.Open(t.Context(), origin.Source, Options{}); err != nil || again != name {
				t.Errorf("%s is not that of its origin %q: %s, %v", name, origin.Source, again, err)
			}
		}
	}
	plain := names["My set (1).csv"]
	if !strings.HasPrefix(plain, "My-set-1@") || names["again/My set (1).csv"] != plain || names["My set (1).csv:split=.2,scale=train"] != plain {
		t.Errorf("equal sets are called %q", names)
	}
	distinct := map[string]bool{}
	for _, name := range names {
		distinct[name] = true
	}
	if len(distinct) != 6 || names["digits"] != "digits" || !strings.HasPrefix(names["digits:split=.2"], "digits@") {
		t.Errorf("the sets are called %q", names)
	}
	name, err := shelf.Open(t.Context(), "My set (1).csv", Options{Split: 0.3})
	if err != nil || name != names["My set (1).csv:split=.3"] {
		t.Errorf("with a default split it is %s, %v", name, err)
	}
}

// The digest is made of the bytes that its comment lists, by Python's hashlib and struct:
//
//	h = hashlib.sha256(b"[2] of 3 rows, 1 for testing, 2 classes, bytes to 0\n")
//	h.update(struct.pack("<6d3i", 1, 2, .5, -3, 1e9, 0, 0, 1, 1)); h.update(b"1 x\n2 yy\n")
func TestDigest(t *testing.T) {
	table := Table{Shape: []int{2}, Values: []float64{1, 2, .5, -3, 1e9, 0}, Labels: []int32{0, 1, 1}, Classes: []string{"x", "yy"}, Test: 1}
	if got, want := table.Digest(), "3b46121cc5197f9df52b5eb406c0d5d4dd3a2288a8cb7d6c12047fa315a3a8d7"; got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
}

// Of each class the share of its rows is for testing, to within one row, and of all rows the
// rounded share.
func TestTestCounts(t *testing.T) {
	for _, c := range []struct {
		rows  []int
		share float64
		order []uint32
		want  []int
	}{
		{[]int{10, 10}, 0.2, []uint32{0, 1}, []int{2, 2}},
		{[]int{3, 3, 3, 3}, 0.5, []uint32{3, 1, 0, 2}, []int{1, 2, 1, 2}},
		{[]int{10, 53, 681, 638, 199, 18}, 0.2, []uint32{0, 1, 2, 3, 4, 5}, []int{2, 11, 136, 128, 40, 3}}, // the red wines: of 2, 10.6, 136.2, 127.6, 39.8 and 3.6 the last is rounded down, so that they are 320
		{[]int{1, 0, 9}, 0.5, []uint32{0, 1, 2}, []int{0, 0, 5}},
		{[]int{2, 2}, 0.9, []uint32{0, 1}, []int{1, 1}},
	} {
		set := Set{Classes: len(c.rows), Share: c.share}
		for class, n := range c.rows {
			set.Labels = append(set.Labels, slices.Repeat([]int32{int32(class)}, n)...)
		}
		if got := set.TestCounts(c.order); !slices.Equal(got, c.want) {
			t.Errorf("of %v rows %g are %v, want %v", c.rows, c.share, got, c.want)
		}
	}
}

// Numbers are scaled in float64, so that a large offset costs no digits.
func TestScaled(t *testing.T) {
	const rows, offset = 101, 1.6e9
	table := Table{Shape: []int{2}}
	for i := range rows {
		table.Values = append(table.Values, offset+float64(i), 7)
		table.Labels = append(table.Labels, 0)
	}
	values, columns := scaled(&table, true)
	deviation := math.Sqrt((rows*rows - 1) / 12.0) // of the numbers 1 to rows
	if c := columns[0]; c.Min != offset || c.Max != offset+rows-1 || math.Abs(c.Deviation-deviation) > 1e-6*deviation || columns[1].Deviation != 0 {
		t.Errorf("columns are %+v", columns)
	}
	for i := range rows {
		// The deviation's float64 error, and a rounding to float32.
		if want := (float64(i) - (rows-1)/2) / deviation; math.Abs(float64(values[2*i])-want) > 1e-6 || values[2*i+1] != 0 {
			t.Errorf("row %d is %v, want %v and 0", i, values[2*i:2*i+2], want)
		}
	}
	if values, _ = scaled(&table, false); values[1] != 7 || values[0] != offset {
		t.Errorf("not scaled they are %v", values[:2])
	}
}

// A source decides how rows are split, and how many of them and how they are scaled unless a spec does.
func TestSource(t *testing.T) {
	table := &Table{Shape: []int{1}, Classes: []string{"a", "b"}}
	for i := range 10 {
		table.Values, table.Labels = append(table.Values, float64(i)), append(table.Labels, int32(i%2))
	}
	shelf := Shelf{Sources: []Source{{
		Status: Status{Name: "ten"}, How: "row seed", Scale: ScaleNone,
		Table: func(context.Context, string) (*Table, error) { return table, nil },
		Divide: func(labels []int32, share float64, seed int) (train, test []uint32, err error) {
			if share > .5 {
				return nil, nil, errors.New("more than half")
			}
			return []uint32{0, 1, 2}, []uint32{uint32(seed), uint32(math.Round(100 * share))}, nil
		},
	}}}
	name, err := shelf.Open(t.Context(), "ten", Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := shelf.Load(t.Context(), name)
	if err != nil || set.Scale != ScaleNone || set.Values[9] != 9 || set.Origin.Split != "0.2 of each class, row seed" {
		t.Errorf("the set is %+v, %v", set, err)
	}
	if status, err := shelf.Describe(name); err != nil || status.Train != 3 || status.Test != 2 {
		t.Errorf("it is described as %+v, %v", status, err)
	}
	if name, err = shelf.Open(t.Context(), "ten:split=.3,scale=all", Options{}); err != nil {
		t.Fatal(err)
	}
	if set, err = shelf.Load(t.Context(), name); err != nil || set.Share != 0 || set.Scale != ScaleAll {
		t.Errorf("the set is %+v, %v", set, err)
	}
	if _, test := set.Divide(7); !slices.Equal(test, []uint32{7, 30}) {
		t.Errorf("seed 7 tests with %d", test)
	}
	if _, err = shelf.Open(t.Context(), "ten:split=.6", Options{}); err == nil || err.Error() != "dataset ten: more than half" {
		t.Errorf("a split that the source refuses: %v", err)
	}
}

func TestSheet(t *testing.T) {
	set, err := Load(t.Context(), "", "digits")
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := set.Sheet()
	if err != nil {
		t.Fatal(err)
	}
	// Pixels of 6 x 6; the first picture of class 3 is the first one with that label.
	first := slices.Index(set.Labels, 3)
	for y := range 8 {
		for x := range 8 {
			want := uint8(math.Round(255 * float64(set.Images[first*64+8*y+x]) / 16))
			if r, _, _, _ := sheet.At(2+6*x+5, 2+50*3+6*y).RGBA(); uint8(r>>8) != want {
				t.Errorf("pixel %d, %d is %d, want %d", y, x, r>>8, want)
			}
		}
	}
	if sheet.Bounds() != image.Rect(0, 0, 12*50+2, 10*50+2) {
		t.Errorf("the sheet is %v", sheet.Bounds())
	}
}
