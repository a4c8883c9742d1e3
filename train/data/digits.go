package data

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
)

// digitsArchive is scikit-learn's digits.csv.gz, bit for bit; digits.md beside
// it says where it comes from and under which licences.
//
//go:embed digits.csv.gz
var digitsArchive []byte

// digitsSHA256 is of digitsArchive, as it is in the wheel of scikit-learn 1.9.1.
const digitsSHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"

// loadDigits decodes the digits in the binary after it has checked them as any
// other set is checked.
func loadDigits(set *Set) error {
	sum := sha256.Sum256(digitsArchive)
	if found := hex.EncodeToString(sum[:]); found != digitsSHA256 {
		return fmt.Errorf("the digits.csv.gz in this program has SHA-256 %s instead of %s: build it from an unaltered source", found, digitsSHA256)
	}
	return decodeDigits(digitsArchive, set)
}

// decodeDigits decodes digits.csv.gz: a line a picture, 64 pixels of 0 to 16 in
// rows from the top and then the class, separated by commas. The first pictures,
// as many as the training split has, are for training and the others for testing.
//
// The test split is the last fifth, 360 lines, unshuffled, on purpose: the file
// keeps what one person wrote together. (13 people wrote 1,797 digits. The nearest
// picture of the same class is within 69 lines for 45 % of all pictures, where
// chance is 8 %.) A shuffled split puts every person's digits on both sides and
// measures an easier task: a nearest-neighbour classifier gets 98.8 % there and
// 95.6 % on this split. Each class has 33 to 37 of the 360 pictures.
func decodeDigits(archive []byte, set *Set) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if want := set.Len(); len(lines) != want {
		return fmt.Errorf("%d lines instead of %d", len(lines), want)
	}
	size := set.Size()
	for n, line := range lines {
		fields := bytes.Split(line, []byte(","))
		if len(fields) != size+1 {
			return fmt.Errorf("line %d has %d numbers instead of %d", n+1, len(fields), size+1)
		}
		for i, field := range fields {
			largest := int(set.Divisor)
			if i == size {
				largest = set.Classes - 1
			}
			value, err := strconv.Atoi(string(field))
			if err != nil || value < 0 || value > largest {
				return fmt.Errorf("line %d: %q is no number from 0 to %d", n+1, field, largest)
			}
			if i == size {
				set.Labels[n] = int32(value)
			} else {
				set.Images[n*size+i] = uint8(value)
			}
		}
	}
	return nil
}
