package sets

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"diaghess/train/data"
)

// wineArchive is UCI's winequality-red.csv, compressed; see sources.md.
//
//go:embed winequality-red.csv.gz
var wineArchive []byte

// loadWine returns the wines with the pilot's classes: 0 to 4 for quality 3, 4, 5, 6, and 7 to 9.
// A class for 10 has a place in the one-hot labels, and no wine.
func loadWine() (*data.Table, error) {
	text, err := gzip.NewReader(bytes.NewReader(wineArchive))
	if err != nil {
		return nil, err
	}
	t, err := readCSV(text, ';', func(quality int) int { return min(quality, 7) - 3 })
	if err != nil {
		return nil, err
	}
	t.Classes = []string{"quality 3", "quality 4", "quality 5", "quality 6", "quality 7 to 9", "quality 10"}
	return t, t.Check()
}

// loadCreditCard returns the payments with their columns as they are.
func loadCreditCard(file []byte) (*data.Table, error) {
	t, err := readCSV(bytes.NewReader(file), ',', func(class int) int { return class })
	if err != nil {
		return nil, err
	}
	t.Classes = []string{"genuine", "fraud"}
	return t, t.Check()
}

// readCSV reads a header and rows of numbers, the last of which stands for the class.
func readCSV(text io.Reader, comma rune, class func(int) int) (*data.Table, error) {
	rows := csv.NewReader(text)
	rows.Comma, rows.ReuseRecord = comma, true
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	inputs := len(header) - 1
	t := &data.Table{Shape: []int{inputs}, Columns: slices.Clone(header[:inputs])}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		for i, field := range row[:inputs] {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return nil, fmt.Errorf("row %d, column %s: %w", t.Len()+1, t.Columns[i], err)
			}
			t.Values = append(t.Values, value)
		}
		label, err := strconv.Atoi(row[inputs])
		if err != nil {
			return nil, fmt.Errorf("row %d, the class: %w", t.Len()+1, err)
		}
		t.Labels = append(t.Labels, int32(class(label)))
	}
}
