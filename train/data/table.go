package data

import "fmt"

// Table is rows with a class each, as a file or a generator has them: before a split, before
// any scaling, and before they become a [Set].
type Table struct {
	// Shape is of one row: [inputs], or [height, width, channels] of a picture.
	Shape []int
	// Either Bytes or Values holds the rows [N, Shape...]; the other is nil. Divisor is the
	// largest value that a byte can have.
	Bytes   []uint8
	Values  []float64
	Divisor float32
	// Labels are the rows' classes [N], from 0; Classes are the classes' names.
	Labels  []int32
	Classes []string
	// Columns are the inputs' names; nil where they have none.
	Columns []string
	// Test is how many of the last rows are the test set that the source fixes; 0 where it
	// fixes none.
	Test int
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.Labels) }

// Inputs returns the number of values in a row.
func (t *Table) Inputs() int {
	n := 1
	for _, side := range t.Shape {
		n *= side
	}
	return n
}

// Check says what is wrong with a table: sizes that do not agree, labels without a class.
func (t *Table) Check() error {
	n := t.Len()
	switch want, have := n*t.Inputs(), max(len(t.Bytes), len(t.Values)); {
	case n == 0:
		return fmt.Errorf("no rows")
	case want != have || t.Bytes != nil && t.Values != nil:
		return fmt.Errorf("%d rows of shape %v need %d values, there are %d", n, t.Shape, want, have)
	case t.Test < 0 || t.Test >= n:
		return fmt.Errorf("%d of %d rows are for testing", t.Test, n)
	case len(t.Classes) < 2:
		return fmt.Errorf("%d classes: a network needs 2 or more to tell apart", len(t.Classes))
	}
	for i, label := range t.Labels {
		if label < 0 || int(label) >= len(t.Classes) {
			return fmt.Errorf("row %d has the class %d of %d", i+1, label, len(t.Classes))
		}
	}
	return nil
}
