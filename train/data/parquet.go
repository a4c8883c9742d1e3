package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// readParquet reads a table: one column has the classes, and the others are numbers; or one is of
// PNG or JPEG files, as Hugging Face has them, and then the others are left out.
func readParquet(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return parseParquet(s, ctx, path, file, info.Size(), label)
}

// column is a column of a parquet file with a value in each row, or with none.
type column struct {
	name  string
	index int // of the leaf
	leaf  parquet.Node
}

// parseParquet reads the table; path is its name in errors. The package that reads the format
// panics at some damaged files.
func parseParquet(s *Shelf, ctx context.Context, path string, from io.ReaderAt, size int64, label string) (r *raw, err error) {
	defer func() {
		if damage := recover(); damage != nil {
			r, err = nil, fmt.Errorf("%s: it is damaged, or has a column of a type that cannot be read: %v", path, damage)
		}
	}()
	var end [8]byte // the length of the footer, and the mark of the format
	if _, err := from.ReadAt(end[:], max(size-8, 0)); err != nil || int64(binary.LittleEndian.Uint32(end[:])) > size {
		return nil, fmt.Errorf("%s: it is no parquet file, or it is cut off", path)
	}
	file, err := parquet.OpenFile(from, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%s: it is no parquet file: %w", path, err)
	}
	columns, picture, err := columnsOf(file.Schema())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	at, err := findLabel(path, label, names)
	if err != nil {
		return nil, err
	}
	r = &raw{}
	role := map[int]int{} // of a leaf: which column
	for i, c := range columns {
		if i == at || picture < 0 || i == picture {
			role[c.index] = i
		}
		if i != at && picture < 0 {
			if !isNumber(c.leaf) {
				return nil, fmt.Errorf("%s: column %s is of %s, where numbers are expected", path, c.name, c.leaf.Type())
			}
			if strings.HasPrefix(c.name, "__index_level_") {
				return nil, fmt.Errorf("%s: column %s is the index of pandas, which numbers the rows: leave it out, to_parquet(index=False)", path, c.name)
			}
			r.Columns = append(r.Columns, c.name)
		}
	}
	if at == picture {
		return nil, fmt.Errorf("%s: column %s has pictures, and no classes", path, names[at])
	}
	if rows := file.NumRows(); rows > 0 {
		need := 12 * rows * int64(len(r.Columns))
		if picture >= 0 {
			need = 4 * size
		}
		if err := s.checkMemory(path, need); err != nil {
			return nil, err
		}
	}
	r.Shape = []int{len(r.Columns)}
	p := pictures{}
	row := 0
	take := func(values parquet.Row) error {
		row++
		for _, v := range values {
			i, wanted := role[v.Column()]
			if !wanted {
				continue
			}
			if v.IsNull() {
				return fmt.Errorf("row %d, column %s is empty: fill it in, or leave the row out", row, names[i])
			}
			switch {
			case i == picture:
				if err := p.add(v.ByteArray()); err != nil {
					return fmt.Errorf("row %d, column %s: %w", row, names[i], err)
				}
			case i == at && !isNumber(columns[i].leaf):
				r.classes = append(r.classes, string(v.ByteArray()))
			case i == at:
				class, err := className(row-1, number(v, columns[i].leaf))
				if err != nil {
					return err
				}
				r.classes = append(r.classes, class)
			default:
				r.Values = append(r.Values, number(v, columns[i].leaf))
			}
		}
		if len(r.classes) != row || picture < 0 && len(r.Values) != row*len(r.Columns) {
			return fmt.Errorf("row %d lacks a value: it is damaged", row)
		}
		return nil
	}
	for _, group := range file.RowGroups() {
		if err := eachRow(ctx, group, take); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if picture >= 0 {
		p.classes = r.classes
		r = p.raw()
	}
	return r, nil
}

// eachRow calls f for each row of a group.
func eachRow(ctx context.Context, group parquet.RowGroup, f func(parquet.Row) error) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buffer := make([]parquet.Row, 256)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			if err := f(row); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrNoProgress
		}
	}
}

// columnsOf returns the columns of a table, and which one has pictures; -1 for none. Those are
// bytes that are no text, by themselves or as the field bytes of a column with fields.
func columnsOf(schema *parquet.Schema) (columns []column, picture int, err error) {
	picture = -1
	for _, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		switch {
		case !ok:
			return nil, -1, errors.New("its schema is damaged")
		case leaf.MaxRepetitionLevel > 0:
			return nil, -1, fmt.Errorf("column %s has lists, where a row needs one value", path[0])
		case len(path) == 2 && path[1] == "path":
			continue // the name of a picture's file
		}
		name := strings.Join(path, ".")
		if isBytes(leaf.Node) {
			if picture >= 0 {
				return nil, -1, fmt.Errorf("the columns %s and %s both have bytes: a table has one column of pictures", columns[picture].name, path[0])
			}
			picture, name = len(columns), path[0]
		}
		columns = append(columns, column{name, leaf.ColumnIndex, leaf.Node})
	}
	return columns, picture, nil
}

// isBytes says whether a column has bytes that are no text.
func isBytes(leaf parquet.Node) bool {
	logical := leaf.Type().LogicalType()
	return leaf.Type().Kind() == parquet.ByteArray && (logical == nil || logical.UTF8 == nil && logical.Enum == nil && logical.Json == nil && logical.Decimal == nil)
}

// isNumber says whether a column has numbers, as they are.
func isNumber(leaf parquet.Node) bool {
	if logical := leaf.Type().LogicalType(); logical != nil && logical.Integer == nil {
		return false
	}
	switch leaf.Type().Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		return true
	}
	return false
}

// number is a value of a column of numbers.
func number(v parquet.Value, leaf parquet.Node) float64 {
	logical := leaf.Type().LogicalType()
	unsigned := logical != nil && logical.Integer != nil && !logical.Integer.IsSigned
	switch v.Kind() {
	case parquet.Boolean:
		if v.Boolean() {
			return 1
		}
		return 0
	case parquet.Int32:
		if unsigned {
			return float64(v.Uint32())
		}
		return float64(v.Int32())
	case parquet.Int64:
		if unsigned {
			return float64(v.Uint64())
		}
		return float64(v.Int64())
	case parquet.Float:
		return float64(v.Float())
	}
	return v.Double()
}
