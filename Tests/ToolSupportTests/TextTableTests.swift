import Testing

@testable import ToolSupport

@Suite struct TextTableTests {
  @Test func alignsColumns() {
    var table = TextTable([("fact", .left), ("loss", .right), ("note", .left)])
    table.append(["a", "12.5", ""])
    table.append(["longer", "3", "x"])
    #expect(table.lines == ["fact    loss  note", "a       12.5", "longer     3  x"])
  }

  @Test func headerAlone() {
    #expect(TextTable([("fact", .left), ("loss", .right)]).lines == ["fact  loss"])
    #expect(TextTable([]).lines == [""])
  }

  @Test func wideCharactersTakeTwoColumns() {
    var table = TextTable([("subject", .left), ("n", .right)])
    table.append(["東京", "1"])
    table.append(["e\u{301}a", "2"])
    table.append(["👩‍👩‍👧 🇫🇷 ✅ ❤\u{FE0F}", "3"])
    #expect(
      table.lines == [
        "subject      n", "東京         1", "e\u{301}a           2", "👩‍👩‍👧 🇫🇷 ✅ ❤\u{FE0F}  3",
      ])
  }

  @Test(arguments: [
    ("", 0), ("abc", 3), ("e\u{301}", 1), ("한국", 4), ("ｗ", 2), ("🚀", 2), ("✅", 2), ("🇫🇷", 2), ("❤", 1),
    ("❤\u{FE0F}", 2), ("1", 1), ("#", 1), ("©", 1), ("Zürich", 6),
  ]) func displayWidths(text: String, width: Int) {
    #expect(displayWidth(text) == width)
  }
}
