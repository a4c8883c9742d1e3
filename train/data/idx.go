package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// idxName matches the name of an idx file of pictures.
var idxName = regexp.MustCompile(`images[.-]idx3[.-]ubyte(\.gz)?$`)

// isIDX says whether a path names pictures in the form of MNIST.
func isIDX(path string) bool { return idxName.MatchString(filepath.Base(path)) }

// readIDX reads a pair of files ...-images-idx3-ubyte and ...-labels-idx1-ubyte, as they are or as
// .gz. To a train-... pair belongs the t10k-... or test-... pair beside it, if there is one.
func readIDX(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	if label != "" {
		return nil, fmt.Errorf("%s: label=%s is for tables; the classes are in the file beside it: leave it out", path, label)
	}
	rows, err := readIDXPair(s, ctx, path)
	if err != nil {
		return nil, err
	}
	folder, name := filepath.Split(path)
	for _, other := range []string{"t10k", "test"} {
		if rest, ok := strings.CutPrefix(name, "train"); ok {
			if beside := filepath.Join(folder, other+rest); exists(beside) {
				if rows.tested != nil {
					return nil, fmt.Errorf("%s: it has rows for testing in t10k%s and in test%[2]s: move one away", path, rest)
				}
				if rows.tested, err = readIDXPair(s, ctx, beside); err != nil {
					return nil, err
				}
			}
		}
	}
	return rows, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readIDXPair reads pictures and their classes.
func readIDXPair(s *Shelf, ctx context.Context, path string) (*raw, error) {
	folder, name := filepath.Split(path)
	labels := filepath.Join(folder, strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(name))
	sides, pixels, err := readElements(s, ctx, path, idxImagesMagic)
	if err != nil {
		return nil, err
	}
	_, classes, err := readElements(s, ctx, labels, idxLabelsMagic)
	if err != nil {
		return nil, err
	}
	if len(classes) != sides[0] {
		return nil, fmt.Errorf("%s has %d pictures, and %s %d classes: give one for each", path, sides[0], labels, len(classes))
	}
	r := &raw{Table: Table{Shape: []int{sides[1], sides[2], 1}, Bytes: pixels, Divisor: 255}}
	for _, class := range classes {
		r.classes = append(r.classes, strconv.Itoa(int(class)))
	}
	return r, nil
}

// readElements reads an idx file of unsigned bytes: its dimensions and its elements.
func readElements(s *Shelf, ctx context.Context, path string, magic uint32) (sides []int, elements []byte, err error) {
	content, err := s.all(ctx, path, 2)
	if err != nil {
		return nil, nil, err
	}
	dimensions := int(magic & 0xff)
	if len(content) < 4+4*dimensions {
		return nil, nil, fmt.Errorf("%s: %d bytes are less than an IDX header of %d bytes", path, len(content), 4+4*dimensions)
	}
	for i := range dimensions {
		sides = append(sides, int(binary.BigEndian.Uint32(content[4+4*i:])))
	}
	if elements, err = idxElements(content, magic, sides...); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return sides, elements, nil
}
