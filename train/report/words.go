package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"diaghess/train/stats"
)

// signed formats v with a + or a true minus sign (U+2212).
func signed(format string, v float64) string {
	return strings.Replace(fmt.Sprintf(format, v), "-", "−", 1)
}

// unit returns a metric's unit with a space before it, or nothing.
func unit(m Metric) string {
	if m.Unit() == "" {
		return ""
	}
	return " " + m.Unit()
}

// intervalWords writes an interval: "−0.0354 to −0.0036".
func intervalWords(i stats.Interval, format, unit string) string {
	return signed(format, i.Low) + " to " + signed(format, i.High) + unit
}

// dzWords writes a difference in standard deviations.
func dzWords(e Evidence) string {
	return fmt.Sprintf("%s (%s)", signed("%+.2f", e.Dz.Result.Dz), intervalWords(e.Dz.Result.Interval, "%+.2f", ""))
}

// smallestP is the smallest p that is written out.
const smallestP = 0.00001

// pValue writes a p; nothing for NaN.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return ""
	case p < smallestP:
		return fmt.Sprintf("< %.5f", smallestP)
	}
	return fmt.Sprintf("%.5f", p)
}

// pIs writes a p inside a sentence: "p = 0.01878", "p < 0.00001".
func pIs(p float64) string {
	if p < smallestP {
		return "p " + pValue(p)
	}
	return "p = " + pValue(p)
}

// withN names an arm and how many runs of it there are.
func withN(optimizer string, n int) string {
	return fmt.Sprintf("%s (n = %d)", printable(optimizer), n)
}

// joinWords writes a list: "loss, accuracy and macro F1".
func joinWords(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// fileName joins parts to the name of a file, in which only letters, digits and
// hyphens are left as they are.
func fileName(parts ...string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-') {
			return r
		}
		return '-'
	}, strings.Join(parts, "-"))
}

// namedSeeds writes ascending seeds with runs of three and more as ranges:
// "seeds 0–4, 7, 8, 10".
func namedSeeds(seeds []int) string {
	var parts []string
	for i := 0; i < len(seeds); {
		end := i
		for end+1 < len(seeds) && seeds[end+1] == seeds[end]+1 {
			end++
		}
		if end-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d–%d", seeds[i], seeds[end]))
			i = end + 1
			continue
		}
		parts = append(parts, strconv.Itoa(seeds[i]))
		i++
	}
	noun := "seeds "
	if len(seeds) == 1 {
		noun = "seed "
	}
	return noun + strings.Join(parts, ", ")
}

func joinInts(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

func joinStrings(list []string) string {
	var shown []string
	for _, s := range list {
		shown = append(shown, printable(s))
	}
	return strings.Join(shown, "; ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable returns a foreign string as it is when every character of it can be
// seen, and quoted with escapes when not: line breaks, control and formatting
// characters and invalid UTF-8 neither break a table nor steer a terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(s)
		}
	}
	return s
}
