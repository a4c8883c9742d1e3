package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"diaghess/train/record"
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

// scaled turns a share into percent, and a difference of shares into points.
func (m Metric) scaled(v float64) float64 {
	if m == ValAcc || m == F1 {
		return 100 * v
	}
	return v
}

// unitWord is the unit of a difference of scaled values, with a space before it.
func (m Metric) unitWord() string {
	if m == ValAcc || m == F1 {
		return " points"
	}
	return unit(m)
}

// column titles a metric's scaled values: "mean, %".
func (m Metric) column() string {
	switch m {
	case ValAcc, F1:
		return "mean, %"
	case TrainTime:
		return "mean, s"
	}
	return "mean"
}

// decimals is how many a metric's scaled values have: one digit more where the differences
// that spread least spread little.
func decimals(m Metric, least float64) int {
	switch {
	case m == ValLoss && least < 0.015:
		return 4
	case m == ValLoss:
		return 3
	case m.scaled(least) < 1.5:
		return 2
	}
	return 1
}

// decimal writes v with so many decimals or, if it is too large for that, with three digits.
// Zero has no sign.
func decimal(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if math.Abs(v) >= 1e6 {
		s = strconv.FormatFloat(v, 'g', 3, 64)
	}
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "−", 1)
}

// value writes a metric's value without its unit; n/a for NaN.
func (a *Analysis) value(m Metric, v float64) string {
	if math.IsNaN(v) {
		return missingNumber
	}
	return decimal(m.scaled(v), a.digits[m])
}

// plain writes a difference without its unit, with a sign; n/a for NaN.
func (a *Analysis) plain(m Metric, v float64) string {
	s := a.value(m, v)
	if m.scaled(v) > 0 && strings.Trim(s, "0.") != "" {
		s = "+" + s
	}
	return s
}

// difference writes a difference: "+0.59 points".
func (a *Analysis) difference(m Metric, v float64) string { return a.plain(m, v) + m.unitWord() }

// amount writes a difference without a sign.
func (a *Analysis) amount(m Metric, v float64) string { return a.value(m, v) + m.unitWord() }

// planned writes a margin as it was given.
func (a *Analysis) planned(m Metric, margin float64) string {
	return exactly(m.scaled(margin), a.digits[m]) + m.unitWord()
}

// interval writes the interval of a difference without its unit; n/a without one.
func (a *Analysis) interval(m Metric, i Outcome[stats.Interval]) string {
	if i.Err != nil {
		return missingNumber
	}
	return a.plain(m, i.Result.Low) + " to " + a.plain(m, i.Result.High)
}

// intervalCell is interval in a cell, which cites why there is none.
func (a *Analysis) intervalCell(m Metric, i Outcome[stats.Interval], reasons *footnotes) string {
	return reasons.cell(i.Err, func() string { return a.interval(m, i) })
}

// exactly writes a number that was given with at least so many decimals, and with more where it has more.
func exactly(v float64, decimals int) string {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64) // a share times 100 was rounded
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if _, after, _ := strings.Cut(s, "."); len(after) < decimals {
		return decimal(v, decimals)
	}
	return s
}

// pValue writes a p: two decimals from 0.1 on, three below; n/a for NaN.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return missingNumber
	case p < 0.001:
		return "< 0.001"
	case p < 0.1:
		return fmt.Sprintf("%.3f", p)
	}
	return fmt.Sprintf("%.2f", p)
}

// pIs writes a p inside a sentence: "p = 0.019", "p < 0.001".
func pIs(p float64) string {
	if p < 0.001 {
		return "p " + pValue(p)
	}
	return "p = " + pValue(p)
}

// brief shortens a long name in its middle, for a sentence.
func brief(name string) string {
	const most = 40
	if r := []rune(name); len(r) > most {
		return string(r[:most/2]) + "…" + string(r[len(r)-most/2:])
	}
	return name
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
	return record.ShortName(strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-') {
			return r
		}
		return '-'
	}, strings.Join(parts, "-")))
}

// namedSeeds writes ascending seeds with runs of three and more as ranges:
// "seeds 0–4, 7, 8, 10". Of many parts it counts the last ones.
func namedSeeds(seeds []int) string {
	const most = 100
	var parts []string
	for i := 0; i < len(seeds); {
		if len(parts) == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(seeds)-i))
			break
		}
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

func plural(n int, noun string) string { return record.Plural(n, noun) }

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
