import Testing

@testable import Facts

@Suite struct TargetPrefixTests {
  /// Prompt, target, what belongs between them.
  private static let cases: [(String, String, String)] = [
    ("The mother tongue of Leo Tolstoy is", "French", " "), ("It is", "1984", " "), ("It is", "-5", " "),
    ("The price is", "$5", " "), ("She said", "\"Hello\"", " "), ("The title is", "'Autumn'", " "),
    ("It runs on", ".NET", " "), ("It weighs", ".5 kg", " "), ("Tag it", "#one", " "), ("La capital es", "¿cuál?", " "),
    ("He said \"yes\"", "twice", " "), ("the cats'", "food", " "), ("It is (as known)", "Paris", " "),
    ("Столица России —", "Москва", " "), ("한국의 수도는", "서울", " "), ("भारत की राजधानी", "दिल्ली", " "),
    ("پایتخت ایران", "تهران", " "), ("בירת ישראל היא", "ירושלים", " "), ("🙂", "😀", " "), ("Thủ đô là", "Hà Nội", " "),
    // White space on either side.
    ("Answer:\n", "Sydney", ""), ("Answer:\t", "Sydney", ""), ("Answer: ", "Sydney", ""), ("Answer:", "\nItaly", ""),
    ("is", " French", ""), ("is", "\u{A0}French", ""),
    // Opening marks.
    ("is in \"", "Italy\"", ""), ("\"", "Italy", ""), ("is in (", "Italy)", ""), ("is in (\"", "Italy", ""),
    ("c'est «", "Paris", ""), ("is in “", "Italy”", ""), ("er heißt „", "Faust“", ""), ("¿", "Cuál", ""),
    // Punctuation.
    ("is in Paris", ", Texas", ""), ("is 50", "%", ""), ("is in Paris", ".", ""), ("is in (Paris", ")", ""),
    ("is in “Paris", "”", ""), ("the cat", "'s tail", ""), ("\"Paris", "\" he said", ""), ("هو", "، ثم", ""),
    ("यह है", "।", ""), ("It is 20", "°C", ""), ("and so on", "…", ""),
    // Scripts without spaces.
    ("日本の首都の名前は", "京都", ""), ("日本的首都是", "京都", ""), ("日本的首都是", "Kyoto", ""), ("The city is", "京都", ""),
    ("เมืองหลวงของไทยคือ", "กรุงเทพ", ""), ("ເມືອງຫຼວງ", "ວຽງຈັນ", ""),
    ("រាជធានី", "ភ្នំពេញ", ""), ("မြို့တော်", "ရန်ကုန်", ""),
    ("答案：", "Sydney", ""), ("リンゴ", "ｶﾀｶﾅ", ""),
    // What changes the character before it, and joiners.
    ("e", "\u{301}", ""), ("ایرانی\u{200C}", "ها", ""), ("", "Paris", ""), ("Paris", "", ""),
  ]

  @Test func rule() {
    for (prompt, target, expected) in Self.cases {
      let found = TargetPrefix.between(prompt, target) { false }
      #expect(found == expected, "\(prompt)|\(target)")
      #expect(TargetPrefix.between(prompt, target) { true } == "", "a special token: \(prompt)|\(target)")
    }
  }

  /// Beside ASCII letters and digits it is what it always was, so that English facts keep their tokens.
  @Test func plainWordsAreJoinedByASpace() {
    let ends = ["a", "Z", "9", "?", ":", ",", ".", "!", ")", "]", "-", "é"]
    for end in ends {
      for start in ["a", "Z", "0", "É", "$", "-", "@"] {
        #expect(TargetPrefix.between("word" + end, start + "x") { false } == " ", "\(end)|\(start)")
      }
    }
  }
}
