import Tensors
import Testing

@testable import ToolSupport

@Suite struct WordingTests {
  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1449, "1.4 kB"), (9949, "9.9 kB"), (9950, "10 kB"),
    (999_499, "999 kB"), (999_500, "1.0 MB"), (3_200_000, "3.2 MB"), (999_600_000, "1.0 GB"),
    (1_234_000_000_000, "1234 GB"),
  ]) func bytes(count: Int, text: String) {
    #expect(formatBytes(count) == text)
  }

  @Test(arguments: [
    (0.00017, "0.017%", "0.017%"), (1e-9, "1e-07%", "1e-07%"), (0.1534, "15%", "15.3%"), (0.997, "100%", "99.7%"),
    (1, "100%", "100%"), (28.47, "2847%", "2847%"), (-3, "-300%", "-300%"), (1e20, "1e+22%", "1e+22%"),
    (.infinity, "inf%", "inf%"), (0, "0%", "0%"),
  ]) func shares(share: Double, two: String, three: String) {
    #expect(formatShare(share, digits: 2) == two)
    #expect(formatShare(share, digits: 3) == three)
    #expect(formatShare(nil, digits: 3) == "-")
  }

  /// No rate before it can be known.
  @Test func progress() {
    let progress = Progress("copying", unit: "MB", total: 200, isQuiet: true)
    #expect(progress.describe(completed: 96, seconds: 1e-6) == "copying: 96/200 MB (48%)")
    #expect(progress.describe(completed: 100, seconds: 0.4, "late") == "copying: 100/200 MB (50%), late")
    #expect(progress.describe(completed: 100, seconds: 2) == "copying: 100/200 MB (50%), 50.0 MB/s, 2 s left")
  }

  @Test(arguments: [
    (0.0, "0 s"), (0.1, "1 s"), (45, "45 s"), (59.5, "1 min 0 s"), (200, "3 min 20 s"), (3599.5, "1 h 0 min"),
    (7500, "2 h 5 min"), (.infinity, "?"), (.nan, "?"), (1e300, "?"), (-3, "0 s"),
  ]) func durations(seconds: Double, text: String) {
    #expect(formatDuration(seconds) == text)
  }

  @Test(arguments: [
    ("abcdefgh", 8, "abcdefgh"), ("abcdefgh", 7, "abc…fgh"), ("abcdefgh", 6, "abc…gh"), ("abcdefgh", 2, "a…"),
    ("abcdefgh", 1, "…"), ("", 0, ""), ("a", 1, "a"), ("👩‍👩‍👧🇫🇷e\u{301}xyz", 4, "👩‍👩‍👧🇫🇷…z"),
  ]) func elision(text: String, width: Int, expected: String) {
    #expect(elide(text, to: width) == expected)
  }

  @Test(arguments: [
    ("5", [5]), ("0", [0]), ("3,4,5", [3, 4, 5]), ("3-5", [3, 4, 5]), ("1,4-6,9", [1, 4, 5, 6, 9]), ("7-7", [7]),
  ]) func layers(text: String, expected: [Int]) throws {
    #expect(try parseLayers(text) == expected)
  }

  @Test(arguments: [
    "", ",", "5,", ",5", "a", "5-", "-5", "5-3", "1-2-3", "1--2", " 5", "5 ", "1.5", "0-10000", "99999999999999999999",
    "0-9223372036854775807", "+3",
  ]) func malformedLayers(text: String) {
    let error = ErrataError(.usage, "'\(text)' is not a list of layers; give numbers like 5, 3,4,5 or 3-5")
    #expect(throws: error) { try parseLayers(text) }
  }
}
