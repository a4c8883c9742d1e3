package data

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"strconv"
)

// Origin is what a record says of a set that its name alone does not.
type Origin struct {
	Source string // the spec as it was given
	Digest string // SHA-256 of the rows: shape, values, classes
	Split  string // in words: "fixed", "0.2 by seed"
	Scale  string // in words; "" for bytes, which are divided by their largest value
}

// set makes a set of a table. source is what made the table; nil for a file.
func (t *Table) set(name string, o Options, source *Source) (*Set, error) {
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("dataset %s: %w", name, err)
	}
	s := &Set{Name: name, Height: 1, Width: 1, Channels: t.Inputs(), Classes: len(t.Classes), Divisor: t.Divisor, Testing: t.Test,
		Rows: Rows{Images: t.Bytes, Labels: t.Labels}}
	if len(t.Shape) == 3 {
		s.Height, s.Width, s.Channels = t.Shape[0], t.Shape[1], t.Shape[2]
	}
	if source != nil {
		if o.Scale == "" && t.Values != nil {
			o.Scale = source.Scale
		}
	}
	if t.Values != nil && o.Scale == "" {
		o.Scale = ScaleTrain
	}
	if s.Testing == 0 {
		o.Split = cmp.Or(o.Split, DefaultSplit)
	}
	s.Origin, s.classes = &Origin{Digest: t.Digest()}, t.Classes
	if source != nil && source.Divide != nil {
		if _, _, err := source.Divide(t.Labels, o.Split, 0); err != nil {
			return nil, fmt.Errorf("dataset %s: %w", name, err)
		}
		labels, share := t.Labels, o.Split
		s.Divide = func(seed int) (train, test []uint32) {
			train, test, err := source.Divide(labels, share, seed)
			if err != nil {
				panic("data: the split by seed 0 went well: " + err.Error())
			}
			return train, test
		}
		s.Origin.Split = fmt.Sprintf("%g of each class, %s", o.Split, source.How)
		o.Split = 0
	}
	if t.Values != nil {
		s.Values, s.columns = scaled(t, o.Scale != ScaleNone)
	}
	return s, s.divide(o)
}

// scaled returns the numbers of a table, where asked for to mean 0 and standard deviation 1 of all
// rows, and what they were. From there a run goes on to those of its own rows: so no input loses digits to an offset
// that is large beside what it varies by.
func scaled(t *Table, scale bool) (values []float32, columns []Column) {
	n, rows := t.Inputs(), t.Len()
	values, columns = make([]float32, len(t.Values)), make([]Column, n)
	for i := range columns {
		c := &columns[i]
		c.Name, c.Min, c.Max = strconv.Itoa(i+1), t.Values[i], t.Values[i]
		if t.Columns != nil {
			c.Name = t.Columns[i]
		}
		c.Mean, c.Deviation = moments(t.Values[i:], n, rows)
		mean, deviation := 0.0, 1.0
		if scale {
			mean = c.Mean
			// What is left of a column that does not vary is rounding.
			if c.Deviation > 1e-14*math.Abs(c.Mean) {
				deviation = c.Deviation
			}
		}
		for at := i; at < len(values); at += n {
			v := t.Values[at]
			c.Min, c.Max = min(c.Min, v), max(c.Max, v)
			values[at] = float32((v - mean) / deviation)
		}
	}
	return values, columns
}

// moments returns the mean and the population standard deviation of every n-th value. It sums in the
// order of scikit-learn's StandardScaler, in two passes with a correction for the rounded mean.
// Source: T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the sample variance", The
// American Statistician 37(3), 1983.
func moments(values []float64, n, rows int) (mean, deviation float64) {
	for r := range rows {
		mean += values[r*n]
	}
	mean /= float64(rows)
	var rest, squares float64
	for r := range rows {
		d := values[r*n] - mean
		rest += d
		squares += float64(d * d)
	}
	return mean, math.Sqrt((squares - float64(rest*rest)/float64(rows)) / float64(rows))
}

// divide gives a set the split and the scaling of options, and the name that says so.
func (s *Set) divide(o Options) error {
	if s.Images != nil && o.Scale != "" && o.Scale != ScaleNone {
		return fmt.Errorf("dataset %[2]s: scaling %[1]s is of numbers, and this set has bytes, which are divided by their largest value, %[3]g: leave it out", o.Scale, s.Name, s.Divisor)
	}
	if s.Origin == nil {
		s.Origin = &Origin{Digest: s.digest()}
	}
	if o.Split > 0 {
		s.Share = o.Split
		s.Origin.Split = fmt.Sprintf("%g of each class, by seed", o.Split)
		if train, test := s.sizes(); train == 0 || test == 0 {
			return fmt.Errorf("dataset %s: split %g of %d rows leaves %d for training and %d for testing", s.Name, o.Split, s.Len(), train, test)
		}
	}
	if s.Origin.Split == "" {
		s.Origin.Split = "fixed"
	}
	if s.Images == nil {
		s.Scale = o.Scale
		s.Origin.Scale = map[string]string{
			ScaleNone: "none", ScaleTrain: "mean 0, SD 1 of the rows that a run trains on", ScaleAll: "mean 0, SD 1 of all rows, those for testing too",
		}[s.Scale]
	}
	whole := sha256.Sum256([]byte(s.Origin.Digest + "\n" + s.Origin.Split + "\n" + s.Origin.Scale))
	s.Name += "@" + hex.EncodeToString(whole[:4])
	return nil
}

// TestCounts returns how many rows of each class a split by seed has for testing: Share of all,
// rounded, by the method of largest remainders. Of classes with equal remainders those come first
// that do in order, which names each class once. Each class that has two rows keeps one for
// training. How many rows there are in all does not depend on the order.
func (s *Set) TestCounts(order []uint32) []int {
	rows, counts := make([]int, s.Classes), make([]int, s.Classes)
	for _, label := range s.Labels {
		rows[label]++
	}
	left := int(math.Round(s.Share * float64(s.Len())))
	remainder := make([]float64, s.Classes)
	for class, n := range rows {
		part := float64(s.Share * float64(n)) // rounded, whatever comes of it
		counts[class] = int(part)
		remainder[class] = math.Round(1e9 * (part - math.Floor(part))) // equal whatever the last digits
		left -= counts[class]
	}
	order = slices.Clone(order)
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(remainder[b], remainder[a]) })
	for _, class := range order {
		if left > 0 && counts[class] < rows[class]-1 {
			counts[class]++
			left--
		}
	}
	return counts
}

// sizes returns how many rows are for training, and how many for testing.
func (s *Set) sizes() (train, test int) {
	if s.Divide != nil {
		train, test := s.Divide(0)
		return len(train), len(test)
	}
	test = s.Testing
	if s.Share > 0 {
		test = 0
		order := make([]uint32, s.Classes)
		for i := range order {
			order[i] = uint32(i)
		}
		for _, count := range s.TestCounts(order) {
			test += count
		}
	}
	return s.Len() - test, test
}

// describe says what a set is.
func (s *Set) describe() Status {
	train, test := s.sizes()
	return Status{
		Name: s.Name, Height: s.Height, Width: s.Width, Channels: s.Channels, Classes: s.Classes, Numbers: s.Images == nil,
		Train: train, Test: test, Bytes: int64(len(s.Images) + 4*len(s.Values)),
	}
}

// Digest returns the SHA-256 of the table's content, in hexadecimal. The content is a line with its
// shape, its rows and the rows for testing; the values, bytes or float64; the labels, int32; and
// the names of the classes, a line each. Numbers have the low byte first.
func (t *Table) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%v of %d rows, %d for testing, %d classes, bytes to %g\n", t.Shape, t.Len(), t.Test, len(t.Classes), t.Divisor)
	return digest(h, t.Bytes, t.Values, t.Labels, t.Classes)
}

// digest is that of a set of the catalogue.
func (s *Set) digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%v of %d rows, %d for testing, %d classes, bytes to %g\n", []int{s.Height, s.Width, s.Channels}, s.Len(), s.Testing, s.Classes, s.Divisor)
	return digest(h, s.Images, nil, s.Labels, nil)
}

func digest(h hash.Hash, bytes []uint8, values []float64, labels []int32, classes []string) string {
	h.Write(bytes)
	var err error
	const chunk = 1 << 16 // encoded at a time
	for part := range slices.Chunk(values, chunk) {
		err = errors.Join(err, binary.Write(h, binary.LittleEndian, part))
	}
	err = errors.Join(err, binary.Write(h, binary.LittleEndian, labels))
	if err != nil {
		panic("data: " + err.Error()) // numbers of fixed sizes into a hash
	}
	for _, class := range classes {
		fmt.Fprintf(h, "%d %s\n", len(class), class)
	}
	return hex.EncodeToString(h.Sum(nil))
}
