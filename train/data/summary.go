package data

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
)

// Summary is what a person wants to know of a set before training on it.
type Summary struct {
	Name   string       `json:"name"`
	Source string       `json:"source,omitempty"` // the spec with all options
	Rows   int          `json:"rows"`
	Shape  []int        `json:"shape"` // of a row: [inputs], or [height, width, channels] of a picture
	Train  int          `json:"train"`
	Test   int          `json:"test"`
	Split  string       `json:"split"`           // in words
	Scale  string       `json:"scale,omitempty"` // in words; absent for bytes
	Digest string       `json:"digest"`          // SHA-256 of the rows
	Class  []ClassCount `json:"classes"`
	Column []Column     `json:"columns,omitempty"` // of numbers that are no pictures
}

// ClassCount is how many rows a class has.
type ClassCount struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

// Column is what the numbers of an input are, in all rows, as the source has them.
type Column struct {
	Name      string  `json:"name"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"` // population standard deviation
}

// Summary sums a set up.
func (s *Set) Summary() Summary {
	train, test := s.sizes()
	sum := Summary{
		Name: s.Name, Rows: s.Len(), Shape: []int{s.Height, s.Width, s.Channels}, Train: train, Test: test,
		Split: "fixed", Class: make([]ClassCount, s.Classes),
	}
	if !s.Pictures() {
		sum.Shape, sum.Column = []int{s.Channels}, s.columns
	}
	if s.Origin != nil {
		sum.Source, sum.Split, sum.Scale, sum.Digest = s.Origin.Source, s.Origin.Split, s.Origin.Scale, s.Origin.Digest
	}
	sum.Digest = cmp.Or(sum.Digest, s.digest())
	for i := range sum.Class {
		sum.Class[i].Name = strconv.Itoa(i)
		if s.classes != nil {
			sum.Class[i].Name = s.classes[i]
		}
	}
	for _, label := range s.Labels {
		sum.Class[label].Rows++
	}
	return sum
}

// The sheet of samples: so many pictures of each of so many classes, enlarged to at least so many
// pixels.
const (
	sheetPictures = 12
	sheetClasses  = 40
	sheetPixels   = 48
	sheetGap      = 2
)

// Sheet draws some pictures of each class, a line each, spread over the rows of the set. It returns
// an error for a set without pictures, or with pictures of other than 1 or 3 channels.
func (s *Set) Sheet() (image.Image, error) {
	if !s.Pictures() {
		return nil, fmt.Errorf("%s has no pictures: its rows are %d numbers", s.Name, s.Channels)
	}
	if s.Channels != 1 && s.Channels != 3 {
		return nil, fmt.Errorf("the pictures of %s have %d channels: a sheet shows those of 1 or 3", s.Name, s.Channels)
	}
	low, high := 0.0, float64(s.Divisor)
	if s.Images == nil {
		low, high = math.Inf(1), math.Inf(-1)
		for _, v := range s.Values {
			low, high = min(low, float64(v)), max(high, float64(v))
		}
	}
	rows := make([][]int, min(s.Classes, sheetClasses))
	for row, label := range s.Labels {
		if int(label) < len(rows) {
			rows[label] = append(rows[label], row)
		}
	}
	scale := max(1, sheetPixels/max(s.Height, s.Width))
	width, height := s.Width*scale+sheetGap, s.Height*scale+sheetGap
	sheet := image.NewRGBA(image.Rect(0, 0, sheetPictures*width+sheetGap, len(rows)*height+sheetGap))
	for class, all := range rows {
		for i := range min(sheetPictures, len(all)) {
			row := all[i*len(all)/min(sheetPictures, len(all))]
			for y := range s.Height * scale {
				for x := range s.Width * scale {
					sheet.Set(sheetGap+i*width+x, sheetGap+class*height+y, s.pixel(row, y/scale, x/scale, low, high))
				}
			}
		}
	}
	return sheet, nil
}

// pixel is the colour of a place in a picture, black at low and white at high.
func (s *Set) pixel(row, y, x int, low, high float64) color.RGBA {
	at := ((row*s.Height+y)*s.Width + x) * s.Channels
	channel := func(c int) uint8 {
		v := 0.0
		if s.Images != nil {
			v = float64(s.Images[at+c])
		} else {
			v = float64(s.Values[at+c])
		}
		return uint8(math.Round(255 * min(max((v-low)/(high-low), 0), 1)))
	}
	c := color.RGBA{channel(0), 0, 0, 255}
	c.G, c.B = c.R, c.R
	if s.Channels == 3 {
		c.G, c.B = channel(1), channel(2)
	}
	return c
}
