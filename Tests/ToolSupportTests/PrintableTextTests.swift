import Testing

@testable import ToolSupport

@Suite struct PrintableTextTests {
  @Test(arguments: [
    ("plain", "plain"), ("", ""), ("naïve 東京 Łódź", "naïve 東京 Łódź"), ("two\nlines", "two\\u{a}lines"),
    ("\u{1B}[31m", "\\u{1b}[31m"), ("\u{9B}2J\u{7F}", "\\u{9b}2J\\u{7f}"),
    ("a\u{202E}b\u{2066}", "a\\u{202e}b\\u{2066}"),
    ("a\u{061C}b\u{200B}c\u{AD}d\u{FEFF}", "a\\u{61c}b\\u{200b}c\\u{ad}d\\u{feff}"),
    ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
    ("\u{2060}\u{180E}\u{3164}\u{2800}", "\\u{2060}\\u{180e}\\u{3164}\\u{2800}"),
    ("x\u{E0041}\u{E0FFF}", "x\\u{e0041}\\u{e0fff}"), ("\u{FFFE}", "\\u{fffe}"),
  ]) func escapesWhatIsNotSeen(text: String, shown: String) {
    #expect(printable(text) == shown)
    #expect(printable(shown) == shown)
  }

  @Test(arguments: [
    "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",  // Persian, with ZWNJ
    "\u{915}\u{94D}\u{200D}\u{937}",  // Hindi: a virama and ZWJ
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}", "\u{2764}\u{FE0F}\u{200D}\u{1F525}",  // emoji of several
    "1\u{FE0F}\u{20E3}", "e\u{301}", "\u{5E9}\u{5C1}",
  ]) func keepsWhatScriptsNeed(text: String) {
    #expect(printable(text).unicodeScalars.elementsEqual(text.unicodeScalars))
  }

  @Test(arguments: [
    ("\u{200D}a", "\\u{200d}a"), ("a\u{200C}", "a\\u{200c}"), ("a \u{200D}b", "a \\u{200d}b"),
    ("a\u{200C}\u{200C}b", "a\\u{200c}\\u{200c}b"), ("1\u{200D}2", "1\\u{200d}2"),
  ]) func joinersThatJoinNothing(text: String, shown: String) { #expect(printable(text) == shown) }

  @Test func severalLines() {
    #expect(printableLines("a\nb\u{1B}\r\n") == "a\nb\\u{1b}\\u{d}\n")
  }

  @Test func rowsAreLines() {
    var table = TextTable([("name", .left), ("size", .right)])
    table.append(["a\nb\u{202E}", "1"])
    #expect(table.lines == ["name             size", "a\\u{a}b\\u{202e}     1"])
  }
}
