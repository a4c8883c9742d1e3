package sets

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"diaghess/train/data"
)

// loadNewsgroups returns what scikit-learn's fetch_20newsgroups(subset="all",
// remove=("headers", "footers", "quotes")) and TfidfVectorizer(max_features=2000) make of the
// texts, in that loader's order. The file is that which `diaghess data fetch` makes: a tar archive,
// in the order of names, with the texts for training first.
func loadNewsgroups(file []byte) (*data.Table, error) {
	words := strings.Fields(newsgroupsWords)
	column := map[string]int{}
	for i, word := range words {
		column[word] = i
	}
	var counts []map[int]float64
	var labels []int32
	var classes []string
	training := 0
	files := tar.NewReader(bytes.NewReader(file))
	for {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the texts: %w", err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", header.Name, err)
		}
		group := path.Base(path.Dir(header.Name))
		label := slices.Index(classes, group)
		if label < 0 {
			label = len(classes)
			classes = append(classes, group)
		}
		if strings.HasPrefix(header.Name, "20news-bydate-train/") {
			training++
		}
		labels = append(labels, int32(label))
		counts = append(counts, countWords(stripQuotes(stripFooter(stripHeader(string(content)))), column))
	}

	// load_files shuffles each part, and fetch_20newsgroups all.
	order := newRandomState(0).permutation(training)
	for _, row := range newRandomState(0).permutation(len(labels) - training) {
		order = append(order, row+uint32(training))
	}
	newRandomState(42).shuffle(order)

	t := &data.Table{Shape: []int{len(words)}, Values: make([]float64, len(order)*len(words)), Classes: classes, Columns: words}
	weights := inverseFrequencies(counts, len(words))
	for to, from := range order {
		t.Labels = append(t.Labels, labels[from])
		row := t.Values[to*len(words):][:len(words)]
		for i, count := range counts[from] {
			row[i] = count * weights[i]
		}
		normalize(row)
	}
	return t, t.Check()
}

// newsgroupsWords are the 2,000 most frequent words, a line each and sorted. Six words share
// the last five places: see sources.md.
//
//go:embed newsgroups.words
var newsgroupsWords string

// stripHeader returns what follows the first empty line of a text.
func stripHeader(text string) string {
	_, body, _ := strings.Cut(text, "\n\n")
	return body
}

// stripFooter cuts a text at its last line that is empty or of hyphens only, which a signature
// follows, unless that is the first line.
func stripFooter(text string) string {
	lines := strings.Split(strip(text), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if strings.Trim(strip(lines[i]), "-") == "" {
			return strings.Join(lines[:i], "\n")
		}
	}
	return text
}

// stripQuotes leaves out the lines of a text that quote another, or that say who is quoted.
func stripQuotes(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return slices.ContainsFunc([]string{"In article", "Quoted from", "|", ">"}, func(start string) bool { return strings.HasPrefix(line, start) }) ||
			slices.ContainsFunc([]string{"writes in", "writes:", "wrote:", "says:", "said:"}, func(part string) bool { return strings.Contains(line, part) })
	})
	return strings.Join(lines, "\n")
}

// strip is Python's str.strip of a text in Latin-1.
func strip(text string) string {
	isSpace := func(c byte) bool {
		return c >= '\t' && c <= '\r' || c >= 0x1c && c <= ' ' || c == 0x85 || c == 0xa0
	}
	for text != "" && isSpace(text[0]) {
		text = text[1:]
	}
	for text != "" && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

// countWords counts the words of a Latin-1 text that have a column. A word is what Python's
// \w+ finds in the text in small letters; all that have a column are in ASCII.
func countWords(text string, column map[string]int) map[int]float64 {
	counts := map[int]float64{}
	var word []byte
	for i := range len(text) + 1 {
		if i < len(text) && isWord(text[i]) {
			c := text[i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			word = append(word, c)
			continue
		}
		if at, ok := column[string(word)]; ok {
			counts[at]++
		}
		word = word[:0]
	}
	return counts
}

// isWord says whether Python's \w matches a character of Latin-1.
func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' ||
		c >= 0xc0 && c != 0xd7 && c != 0xf7 || strings.IndexByte("\xaa\xb2\xb3\xb5\xb9\xba\xbc\xbd\xbe", c) >= 0
}

// inverseFrequencies returns ln((1+n)/(1+d)) + 1 for each word, which d of n texts have.
func inverseFrequencies(counts []map[int]float64, words int) []float64 {
	weights := make([]float64, words)
	for _, text := range counts {
		for i := range text {
			weights[i]++
		}
	}
	for i, d := range weights {
		weights[i] = log(float64(1+len(counts))/(1+d)) + 1
	}
	return weights
}

// normalize scales a row to length 1, unless it is zero.
func normalize(row []float64) {
	sum := 0.0
	for _, value := range row {
		sum += float64(value * value)
	}
	if sum == 0 {
		return
	}
	length := math.Sqrt(sum)
	for i := range row {
		row[i] /= length
	}
}
