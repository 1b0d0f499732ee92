import Testing

@testable import ToolSupport

@Suite struct DisplayWidthTests {
  /// As glibc's `wcwidth` adds them up (C.UTF-8).
  @Test(arguments: [
    ("Sydney", 6), ("京都", 4), ("リンゴ", 6), ("ｶﾀｶﾅ", 4), ("서울", 4), ("\u{1112}\u{1161}\u{11AB}", 2), ("दिल्ली", 5),
    ("বাংলা", 5), ("தமிழ்", 4), ("กรุงเทพ", 6), ("ນະຄອນ", 5), ("ភ្នំពេញ", 5), ("မြို့တော်", 5), ("تهران", 5),
    ("ירושלים", 7), ("שָׁלוֹם", 4), ("Ünal", 4), ("ཀྲུང", 2), ("አዲስ አበባ", 7), ("Москва", 6), ("Αθήνα", 5),
    ("Հայաստան", 8), ("საქართველო", 10), ("、。", 4), ("（）", 4), ("…", 1), ("ﷺ", 1),
  ]) func scripts(text: String, width: Int) {
    #expect(displayWidth(text) == width)
  }

  /// What is one picture takes two columns, however it is spelled.
  @Test(arguments: ["🙂", "👨‍👩‍👧", "🇯🇵", "7\u{FE0F}\u{20E3}", "☀\u{FE0F}", "👍🏽"]) func emoji(text: String) {
    #expect(displayWidth(text) == 2)
  }

  /// Whatever stands in a cell, the next column begins at the same place.
  @Test func columnsAlign() {
    var table = TextTable([("subject", .left), ("n", .left)])
    let cells = ["Sydney", "京都", "서울", "दिल्ली", "กรุงเทพ", "תל אביב", "تهران", "👨‍👩‍👧", "e\u{301}", "ក្រុង"]
    for cell in cells { table.append([cell, "x"]) }
    let starts = Set(table.lines.dropFirst().map { displayWidth(String($0.dropLast())) })
    #expect(starts == [9])
  }
}
