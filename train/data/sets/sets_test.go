package sets

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"diaghess/train/data"
)

// known is testdata/known.json, which scikit-learn and NumPy made by testdata/known.py.
type known struct {
	Stream struct {
		Seed                         uint32
		Uniform, Normal, After, Far  []float64
		Integers, Large, Permutation []uint32
	}
	Sets   map[string]knownSet // by NAME/SEED
	Splits []struct {
		Labels      []int32
		Fraction    float64
		Seed        uint32
		Train, Test []uint32
		Error       string
	}
	Vocabulary string
	IDF        []float64
}

// knownSet describes a set: its rows, and how many are of each class; the SHA-256 of the labels, of
// the values as float32, and of the rows that the split keeps for training and for testing; the
// first row; of the first 20 columns the sums, those weighted by row modulo 97, and those
// of the weighted magnitudes.
type knownSet struct {
	Rows                              int
	Classes                           []int
	Labels, Values, Train, Test       string
	First, Sums, Weighted, Magnitudes []float64
}

func readKnown(t *testing.T) known {
	t.Helper()
	text, err := os.ReadFile("testdata/known.json")
	if err != nil {
		t.Fatal(err)
	}
	var k known
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// digest returns the SHA-256 of numbers of 32 bits, low byte first.
func digest[T, S any](values []S, convert func(S) T) string {
	h := sha256.New()
	for part := range slices.Chunk(values, 1<<16) {
		converted := make([]T, len(part))
		for i, value := range part {
			converted[i] = convert(value)
		}
		if err := binary.Write(h, binary.LittleEndian, converted); err != nil {
			panic(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func same[T any](value T) T              { return value }
func narrow(value float64) float32       { return float32(value) }
func close(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// The stream is NumPy's: bits, and normals within two roundings of the C library's logarithm and
// square root.
func TestRandomState(t *testing.T) {
	want := readKnown(t).Stream
	r := newRandomState(want.Seed)
	for i, uniform := range want.Uniform {
		if got := r.float64(); got != uniform {
			t.Errorf("double %d is %v instead of %v", i, got, uniform)
		}
	}
	normals := func(name string, want []float64) {
		for i, normal := range want {
			if got := r.normal(); !close(got, normal, 4*0x1p-53*math.Abs(normal)) {
				t.Errorf("%s %d is %v instead of %v", name, i, got, normal)
			}
		}
	}
	normals("normal", want.Normal)
	for i, integer := range want.Integers {
		if got := r.upTo(9); got != integer {
			t.Errorf("integer %d is %d instead of %d", i, got, integer)
		}
	}
	for i, integer := range want.Large {
		if got := r.upTo(math.MaxUint32); got != integer {
			t.Errorf("integer %d of 32 bits is %d instead of %d", i, got, integer)
		}
	}
	if got := r.permutation(len(want.Permutation)); !slices.Equal(got, want.Permutation) {
		t.Errorf("the permutation is %d instead of %d", got, want.Permutation)
	}
	normals("normal after them", want.After)
	for range 4999 {
		r.float64()
	}
	if got := r.float64(); got != want.Far[0] {
		t.Errorf("double 5000 of the next is %v instead of %v", got, want.Far[0])
	}
}

// log against logarithms of 40 digits by mpmath 1.3, rounded to float64, where math.Log and others err.
func TestLog(t *testing.T) {
	for x, want := range map[float64]float64{
		0.9054920353407162:    -0.09927679756624716,
		0.6111454400621537:    -0.49242031202837,
		0.6269123771225797:    -0.4669484975208484,
		0.5023642413259481:    -0.6884298420659799,
		0.7872398580089709:    -0.2392223018925347,
		0.7155455866310061:    -0.3347099690438594,
		0.9376143593743445:    -0.06441654524429884,
		0.9283562946873162:    -0.07433968164072052,
		0.9999999999999999:    -1.1102230246251565e-16,
		1.0000000000000002:    2.2204460492503128e-16,
		0.5:                   -0.6931471805599453,
		0.7071067811865476:    -0.3465735902799726,
		1.4142135623730951:    0.3465735902799727,
		1e-300:                -690.7755278982137,
		97.14948453608247:     4.5762508699532995,
		8.673617379884035e-19: -41.58883083359672,
		1.0:                   0.0,
	} {
		if got := log(x); got != want {
			t.Errorf("log(%v) is %v instead of %v", x, got, want)
		}
	}
}

// Splits are scikit-learn's, with ties of remainders, classes of two rows and impossible fractions.
func TestSplit(t *testing.T) {
	failures := 0
	for i, c := range readKnown(t).Splits {
		train, test, err := Split(c.Labels, c.Fraction, c.Seed)
		if c.Error != "" {
			failures++
		}
		if (err != nil) != (c.Error != "") || !slices.Equal(train, c.Train) || !slices.Equal(test, c.Test) {
			t.Errorf("case %d, %d rows, %g: %d and %d, error %v, instead of %d and %d, error %q", i, len(c.Labels), c.Fraction, train, test, err, c.Train, c.Test, c.Error)
		}
	}
	if failures == 0 {
		t.Error("no known case is an error")
	}
	if _, _, err := Split([]int32{0, 0, 1, 1, 2}, .5, 0); err == nil || !strings.Contains(err.Error(), "class 2 has one row, row 5") {
		t.Errorf("a class of one row: %v", err)
	}
	if _, _, err := Split([]int32{0, 0, 1, 1}, 1, 0); err == nil {
		t.Error("all rows for testing give no error")
	}
}

// compare compares the rows of a table, and a split of them, with what scikit-learn made. Labels,
// splits and float32 values are equal. A sum of n float64 values errs by n*2^-53 of the summed
// magnitudes at most, in whatever order; the weighted magnitudes leave room for the values' own roundings.
func compare(t *testing.T, table *data.Table, train, test []uint32, want knownSet) {
	t.Helper()
	if err := table.Check(); err != nil {
		t.Fatal(err)
	}
	compareLabels(t, table.Labels, train, test, want)
	if digest(table.Values, narrow) != want.Values {
		t.Error("the values are others in float32")
	}
	for i, value := range want.First {
		if !close(table.Values[i], value, 1e-13*math.Abs(value)) {
			t.Errorf("value %d of the first row is %v instead of %v", i, table.Values[i], value)
		}
	}
	inputs := table.Inputs()
	for column := range want.Sums {
		sum, weighted := 0.0, 0.0
		for row := range table.Len() {
			value := table.Values[row*inputs+column]
			sum += value
			weighted += value * float64(row%97)
		}
		tolerance := 0x1p-53 * float64(table.Len()) * want.Magnitudes[column]
		if !close(sum, want.Sums[column], tolerance) || !close(weighted, want.Weighted[column], tolerance) {
			t.Errorf("column %d has the sums %v and %v instead of %v and %v", column, sum, weighted, want.Sums[column], want.Weighted[column])
		}
	}
}

func compareLabels(t *testing.T, labels []int32, train, test []uint32, want knownSet) {
	t.Helper()
	classes := make([]int, len(want.Classes))
	for _, label := range labels {
		classes[label]++
	}
	if len(labels) != want.Rows || !slices.Equal(classes, want.Classes) {
		t.Fatalf("%d rows of classes %d instead of %d of %d", len(labels), classes, want.Rows, want.Classes)
	}
	if digest(labels, same) != want.Labels {
		t.Error("the labels are others")
	}
	if digest(train, same) != want.Train || digest(test, same) != want.Test {
		t.Error("the split is another")
	}
}

// eachSeed calls check with what is known of a set, for each random state.
func eachSeed(t *testing.T, name string, check func(t *testing.T, seed int, want knownSet)) {
	t.Helper()
	tried := 0
	for set, want := range readKnown(t).Sets {
		state, ok := strings.CutPrefix(set, name+"/")
		if !ok {
			continue
		}
		tried++
		t.Run(set, func(t *testing.T) {
			seed, err := strconv.Atoi(state)
			if err != nil {
				t.Fatal(err)
			}
			check(t, seed, want)
		})
	}
	if tried == 0 {
		t.Errorf("nothing is known of %s", name)
	}
}

func find(name string) data.Source {
	all := All()
	return all[slices.IndexFunc(all, func(s data.Source) bool { return s.Status.Name == name })]
}

func TestClassifications(t *testing.T) {
	for _, c := range classifications() {
		eachSeed(t, c.name, func(t *testing.T, seed int, want knownSet) {
			table := c.generate(uint32(seed))
			train, test, err := Split(table.Labels, data.DefaultSplit, uint32(seed))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, table, train, test, want)
		})
	}
}

// A run finds the rows of its seed, and of a seed beyond 6 those of the remainder by 7.
func TestGeneratedSource(t *testing.T) {
	source := find("gauss-sep0.5-clust1")
	all, err := source.Table(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if all.Len() != 7*generatedRows || len(all.Values) != all.Len()*10 {
		t.Fatalf("%d rows, %d values", all.Len(), len(all.Values))
	}
	eachSeed(t, source.Status.Name, func(t *testing.T, seed int, want knownSet) {
		first := seed % 7 * generatedRows
		train, test, err := source.Divide(all.Labels, data.DefaultSplit, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]uint32{train, test} {
			for i := range part {
				part[i] -= uint32(first)
			}
		}
		if seed >= 7 {
			if len(train) != source.Status.Train || len(test) != source.Status.Test || int(slices.Max(train)) >= generatedRows {
				t.Errorf("%d and %d rows, up to %d", len(train), len(test), slices.Max(train))
			}
			return
		}
		block := &data.Table{Shape: all.Shape, Classes: all.Classes, Labels: all.Labels[first:][:generatedRows], Values: all.Values[first*10:][:generatedRows*10]}
		compare(t, block, train, test, want)
	})
}

// Wine comes standardized over all rows off a shelf, equal to scikit-learn's in float32, and split by seed.
func TestWine(t *testing.T) {
	shelf := data.Shelf{Sources: All()}
	name, err := shelf.Open(t.Context(), "wine", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := shelf.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if set.Classes != 6 || set.Scale != data.ScaleAll {
		t.Errorf("%d classes, the last of them empty, and the scaling %s", set.Classes, set.Scale)
	}
	eachSeed(t, "wine", func(t *testing.T, seed int, want knownSet) {
		train, test := set.Divide(seed)
		compareLabels(t, set.Labels, train, test, want)
		if digest(set.Values, same) != want.Values {
			t.Error("the values are others in float32")
		}
	})
}

// The whole set of newsgroups is compared where the data folder has it: `diaghess data fetch newsgroups`.
func TestNewsgroups(t *testing.T) {
	source := find("newsgroups")
	table, err := source.Table(t.Context(), "")
	if errors.Is(err, data.ErrMissing) || testing.Short() {
		t.Skip("needs 20 newsgroups: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	eachSeed(t, "newsgroups", func(t *testing.T, seed int, want knownSet) {
		train, test, err := source.Divide(table.Labels, data.DefaultSplit, seed)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, table, train, test, want)
	})
}

// A set's description is that of its rows.
func TestDescriptions(t *testing.T) {
	for _, source := range All() {
		s := source.Status
		table, err := source.Table(t.Context(), "")
		if errors.Is(err, data.ErrMissing) || testing.Short() && s.Name == "newsgroups" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		train, test, err := source.Divide(table.Labels, data.DefaultSplit, 3)
		if err != nil {
			t.Fatal(err)
		}
		if s.Train != len(train) || s.Test != len(test) || s.Channels != table.Inputs() || s.Classes != len(table.Classes) || s.Height*s.Width != 1 {
			t.Errorf("%s: %d and %d rows of %d inputs and %d classes are described as %+v", s.Name, len(train), len(test), table.Inputs(), len(table.Classes), s)
		}
	}
}

func TestVocabulary(t *testing.T) {
	words := strings.Fields(newsgroupsWords)
	sum := sha256.Sum256([]byte(strings.Join(words, "\n")))
	if found, want := hex.EncodeToString(sum[:]), readKnown(t).Vocabulary; found != want || len(words) != 2000 {
		t.Errorf("%d words have the SHA-256 %s instead of %s", len(words), found, want)
	}
}

// What scikit-learn 1.6.1's strip_newsgroup_header, _footer and _quoting make of texts.
func TestStripping(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"no blank line", ""},
		{"a: b\n\nbody", "body"},
		{"a: b\n\nbody\n\n", "body\n\n"},
		{"a: b\n\nbody\n--\nname", "body"},
		{"a: b\n\nbody\n\nmore\n --- \nname\n\n", "body\n\nmore"},
		{"a: b\n\n\nname only", "\nname only"},
		{"a: b\n\n--\nname", "--\nname"},
		{"a: b\n\nJ writes:\n> x\n| y\nIn article 3\nI said: no\n >kept\nQuoted from z\nlast, In article\nbody", " >kept\nlast, In article\nbody"},
		{"a: b\n\nx wrote in 5\nit writes in it\nend\n\x1c--\x1d\nsig", "x wrote in 5\nend"},
		{"\n\n\n", "\n"},
	} {
		if got := stripQuotes(stripFooter(stripHeader(c.text))); got != c.want {
			t.Errorf("%q becomes %q instead of %q", c.text, got, c.want)
		}
	}
}

// Words end where Python's \w ends, in Latin-1.
func TestCountWords(t *testing.T) {
	got := countWords("Know know, caf\xe9know know\xd7KNOW know_ know's \xb5know know", map[string]int{"know": 3})
	if len(got) != 1 || got[3] != 6 {
		t.Errorf("counted %v instead of 6 of word 3", got)
	}
}

// harZip makes an archive of HAR's form: row r of part p has the sample s of signal i as the number
// p*1000 + r + i/10 + s/1000.
func harZip(t *testing.T, rows map[string]int, leaveOut string) []byte {
	t.Helper()
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	add := func(name, text string) {
		if name == leaveOut {
			return
		}
		file, err := writer.Create("UCI HAR Dataset/" + name)
		if err == nil {
			_, err = file.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for p, part := range []string{"train", "test"} {
		var labels strings.Builder
		for row := range rows[part] {
			fmt.Fprintln(&labels, (row+p)%6+1)
		}
		add(part+"/y_"+part+".txt", labels.String())
		for i, signal := range harSignals {
			var text strings.Builder
			for row := range rows[part] {
				for s := range harSamples {
					fmt.Fprintf(&text, "  %.7e", harValue(p, row, i, s))
				}
				fmt.Fprintln(&text)
			}
			add(part+"/Inertial Signals/"+signal+"_"+part+".txt", text.String())
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func harValue(p, row, signal, sample int) float64 {
	return float64(p*1000+row) + float64(signal)/10 + float64(sample)/10000
}

func TestHAR(t *testing.T) {
	table, err := loadHAR(harZip(t, map[string]int{"train": 7, "test": 3}, ""))
	if err != nil {
		t.Fatal(err)
	}
	if table.Len() != 10 || table.Inputs() != 1152 || len(table.Columns) != 1152 {
		t.Fatalf("%d rows of %d inputs, %d with names", table.Len(), table.Inputs(), len(table.Columns))
	}
	if want := []int32{0, 1, 2, 3, 4, 5, 0, 1, 2, 3}; !slices.Equal(table.Labels, want) {
		t.Errorf("the labels are %d instead of %d", table.Labels, want)
	}
	for i, got := range table.Values {
		p, row := 0, i/1152
		if row >= 7 {
			p, row = 1, row-7
		}
		if want := harValue(p, row, i%1152/128, i%128); !close(got, want, 1e-7*want) { // eight digits are written
			t.Fatalf("value %d is %v instead of %v", i, got, want)
		}
	}
	missing := "test/Inertial Signals/body_gyro_y_test.txt"
	if _, err := loadHAR(harZip(t, map[string]int{"train": 7, "test": 3}, missing)); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("without a file: %v", err)
	}
	if _, err := loadHAR([]byte("PK")); err == nil {
		t.Error("no archive gives no error")
	}
}

func TestCreditCard(t *testing.T) {
	const text = "\"Time\",\"V1\",\"Amount\",\"Class\"\n0,-1.3598071336738,149.62,\"0\"\n1e+05,2,0,\"1\"\n"
	table, err := loadCreditCard([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{0, -1.3598071336738, 149.62, 1e5, 2, 0}; !slices.Equal(table.Values, want) || !slices.Equal(table.Labels, []int32{0, 1}) {
		t.Errorf("%v of classes %v", table.Values, table.Labels)
	}
	if !slices.Equal(table.Columns, []string{"Time", "V1", "Amount"}) {
		t.Errorf("columns %q", table.Columns)
	}
	for _, c := range []struct{ text, want string }{
		{strings.Replace(text, "149.62", "x", 1), "row 1, column Amount"},
		{strings.Replace(text, `"1"`, `"2"`, 1), "row 2 has the class 2"},
		{strings.Replace(text, `"1"`, `""`, 1), "row 2, the class"},
		{strings.Replace(text, "1e+05,", "", 1), "wrong number of fields"},
		{"", "EOF"},
	} {
		if _, err := loadCreditCard([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v instead of %q", c.text, err, c.want)
		}
	}
}
