import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

extension ToolTests {
  /// `errata stats` and what it does with files that were collected.
  @Suite struct Statistics {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func collect(_ texts: [String], to output: String, _ options: String...) throws -> ToolResult {
      try scratch.succeed(
        ["stats", "samples/model", "--layers", "1", "--sequence-length", "64", "-o", output, "--quiet"]
          + texts.flatMap { ["--text", $0] } + options)
    }

    /// The corpus in two halves, the first as lines of JSON, each as long as whole sequences.
    private func writeHalves() throws {
      let paragraphs = String(decoding: try scratch.bytes("samples/corpus.txt"), as: UTF8.self)
        .split(separator: "\n").prefix(600)
      let lines = paragraphs.prefix(300).map { line -> [UInt8] in
        let record: JSON = ["body": JSON(String(line))]
        return record.serialized()
      }
      try scratch.write(lines.joined(separator: [0x0A]), to: "first.jsonl")
      try scratch.write(paragraphs.suffix(300).joined(separator: "\n"), to: "second.txt")
    }

    private func matrix(_ name: String, _ layer: Int = 1) throws -> Matrix<Double> {
      try SafetensorsFile(path: scratch(name)).tensor(named: ByteString("second_moment.\(layer)")).matrix().widened()
    }

    private func relativeDifference(_ left: Matrix<Double>, _ right: Matrix<Double>) -> Double {
      let difference = zip(left.elements, right.elements).map { abs($0 - $1) }.max() ?? 0
      return difference / (right.elements.map(abs).max() ?? 1)
    }

    @Test func mergedIsWhatOneRunCollects() throws {
      try writeHalves()
      let first = try collect(["first.jsonl"], to: "a", "--field", "body", "--json").json
      let second = try collect(["second.txt"], to: "b", "--json").json
      let merged = try scratch.succeed("stats", "merge", "a", "b", "-o", "c", "--json").json
      let counts = try [first, second, merged].map { try #require($0["token_count"]?.integerValue) }
      #expect(counts[0] + counts[1] == counts[2])
      #expect(merged["corpus"] == "first.jsonl, second.txt")
      #expect(merged["layers"] == [1])
      // Elementwise the weighted mean.
      let (a, b, c) = (try matrix("a"), try matrix("b"), try matrix("c"))
      for (index, value) in c.elements.enumerated() {
        let exact = (a.elements[index] * Double(counts[0]) + b.elements[index] * Double(counts[1])) / Double(counts[2])
        #expect(abs(value - exact) <= 0x1p-23 * abs(exact) + 1e-38)
        if index == 2000 { break }
      }
      // One run over both files differs in what fills no sequence at the end of the first, and after.
      let together = try collect(["first.jsonl", "second.txt"], to: "d", "--field", "body", "--json").json
      #expect(abs(try #require(together["token_count"]?.integerValue) - counts[2]) <= 64)
      #expect(together["corpus"] == "first.jsonl, second.txt")
      #expect(relativeDifference(try matrix("d"), c) < 0.05)
      // It is as good as any for an edit.
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats", "c", "--ridge", "1e-4",
        "-o", "o.wpatch", "--quiet")
    }

    /// Fewer tokens than were asked for.
    @Test func saysThatTheTextEnded() throws {
      try scratch.write(String(repeating: "All work and no play makes Jack a dull boy.\n", count: 200), to: "short.txt")
      let result = try collect(["short.txt"], to: "s", "--tokens", "100000", "--json")
      let counted = try #require(try result.json["token_count"]?.integerValue)
      #expect(counted < 100_000)
      #expect(
        result.errors
          == "errata stats: the text ended after \(counted) of 100000 tokens; give more with a further --text, unless "
          + "the verdict is good\n")
      #expect(try collect(["short.txt"], to: "t", "--tokens", "640").errors == "")
    }

    /// A model that no preset fits, and no option but facts and second moments.
    @Test func saysWhichLayersItChose() throws {
      try scratch.copyModel()
      var configuration = try #require(try JSON.parse(contentsOf: scratch("model/config.json")).objectValue)
      configuration["num_hidden_layers"] = 5
      try scratch.write(JSON.object(configuration).serialized(), to: "model/config.json")
      let result = try scratch.succeed(
        "stats", "model", "--text", "samples/corpus.txt", "--tokens", "12800", "--sequence-length", "64", "-o", "s",
        "--quiet", "--json")
      #expect(try result.json["layers"] == [0, 1])
      #expect(
        result.errors
          == "errata stats: no preset fits this model: collecting layers 0, 1 of 5, about a sixth of the way up; "
          + "choose with --layers\n")
      let edited = try scratch.succeed(
        "edit", "model", "--facts", "samples/facts.json", "--records", "0", "--stats", "s", "--quiet", "-o",
        "fix.wpatch")
      #expect(edited.errors.contains("errata edit: no preset fits this model: editing layer "))
      #expect(
        edited.errors.contains(
          " of 5, by its depth, its second moments and a probe of a few prompts; 'errata tune' tries others on facts"))
    }

    /// A token for the beginning, which the file and its report name, and a file without it, which an edit remarks on.
    @Test func specialTokensAreNamed() throws {
      let directory = try TemporaryDirectory()
      let model = try directory.sampleModel(template: "<|endoftext|> $A", name: "model")
      let shown = try scratch.succeed(
        "stats", model, "--layers", "1", "--text", "samples/corpus.txt", "--tokens", "6400", "--sequence-length", "64",
        "-o",
        "s", "--quiet")
      #expect(shown.output.split(separator: "\n")[1].hasSuffix(", <|endoftext|> before each sequence"))
      let json = try scratch.succeed("stats", "show", "s", "--json").json
      #expect(json["tokens_before_text"] == ["<|endoftext|>"] && json["tokens_after_text"] == [])
    }

    @Test func refusesToMergeWhatDoesNotFit() throws {
      try writeHalves()
      _ = try collect(["second.txt"], to: "b")
      try scratch.fail(
        "stats", "merge", "samples/stats.safetensors", "b", "-o", "c", exitCode: 3,
        message: "errata stats merge: b: has layers 1, and samples/stats.safetensors has 0, 1, 2; "
          + "only files of the same layers merge")
      try scratch.fail(
        "stats", "merge", "b", "b", "-o", "c", exitCode: 1,
        message: "errata stats merge: b and b: were collected from the same text, which would count twice")
      try scratch.fail(
        "stats", "merge", "b", "-o", "c", exitCode: 2,
        message: "errata stats merge: give at least two files (see 'errata stats merge --help')")
      try scratch.fail(
        "stats", "merge", "b", "samples/facts.json", "-o", "samples/facts.json", exitCode: 1,
        message: "errata stats merge: samples/facts.json: is there already, and not what this tool writes; "
          + "name another output")
    }

    @Test func showsTheCondition() throws {
      let shown = try scratch.succeed("stats", "show", "samples/stats.safetensors").output.split(separator: "\n")
      #expect(shown.count == 6)
      #expect(shown[0].hasPrefix("samples/stats.safetensors: second moments of layers 0, 1, 2 over "))
      #expect(shown[2] == "layer  tokens per value  condition  smallest pivot  always zero  verdict")
      let json = try scratch.succeed("stats", "show", "samples/stats.safetensors", "--json").json
      let plain = try #require(json["conditions"]?.arrayValue)
      let ridged = try #require(
        scratch.succeed("stats", "show", "samples/stats.safetensors", "--ridge", "1", "--json").json["conditions"]?
          .arrayValue)
      #expect(plain.count == 3)
      for (condition, ridged) in zip(plain, ridged) {
        #expect(condition["key_length"] == 512)
        #expect(condition["verdict"] == "good")
        let number = try #require(condition["condition"]?.doubleValue)
        #expect(number > 1)
        #expect(try #require(ridged["condition"]?.doubleValue) < number)
        #expect(try #require(condition["smallest_pivot"]?.doubleValue) > 0)
      }
      try scratch.fail(
        "stats", "show", "samples/stats.safetensors", "--ridge=-1", exitCode: 2,
        message: "errata stats show: --ridge must be zero or more (see 'errata stats show --help')")
      try scratch.fail(
        "stats", "show", "samples/facts.json", exitCode: 6,
        message: "errata stats show: samples/facts.json: the header claims 2459000625931749979 bytes, more than the "
          + "100000000 that are allowed; this is not a safetensors file, or it is damaged")
    }

    @Test func importsWhatTheReferenceCodeKept() throws {
      _ = try scratch.succeed(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--layers", "1,2", "--tokens", "8000", "-o", "a",
        "--quiet")
      let names = [1, 2].map { "model.layers.\($0).mlp.down_proj_float32_mom2_8000.npz" }
      for (layer, name) in zip([1, 2], names) {
        try scratch.write(numpyArchive(try matrix("a", layer), count: 8192), to: name)
      }
      let imported = try scratch.succeed(
        ["stats", "import", "samples/model"] + names.reversed() + ["-o", "b", "--json"]
      ).json
      #expect(imported["layers"] == [1, 2])
      #expect(imported["token_count"] == 8192)
      #expect(imported["corpus"] == JSON(names.joined(separator: ", ")))
      for layer in [1, 2] { #expect(relativeDifference(try matrix("b", layer), try matrix("a", layer)) < 1e-6) }
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--layers", "1", "--stats", "b",
        "-o", "o.wpatch", "--quiet")
      // The layer in words.
      try scratch.write(try scratch.bytes(names[0]), to: "x.npz")
      let named = try scratch.succeed("stats", "import", "samples/model", "x.npz", "--layers", "1", "-o", "c", "--json")
      #expect(try named.json["layers"] == [1])
    }

    @Test func saysWhatItCannotImport() throws {
      func fail(_ arguments: [String], _ exitCode: Int32, _ message: String) throws {
        try scratch.fail(
          ["stats", "import", "samples/model"] + arguments + ["-o", "out"], exitCode: exitCode,
          message: "errata stats import: \(message)")
      }
      func archive(_ size: Int, _ count: Int, to name: String) throws {
        var matrix = Matrix<Double>(rows: size, columns: size)
        for index in 0..<size { matrix[index, index] = 1 }
        try scratch.write(numpyArchive(matrix, count: count), to: name)
      }
      try archive(512, 100, to: "x.npz")
      try archive(512, 200, to: "y.npz")
      try archive(8, 100, to: "small.npz")
      try archive(512, 0, to: "none.npz")
      try fail(
        ["x.npz"], 2,
        "x.npz: its name does not begin with one of the model's down-projections; say the layer with --layers")
      try fail(["x.npz", "--layers", "9"], 2, "layer 9 does not exist: the model has layers 0 to 5")
      try fail(
        ["x.npz", "--layers", "1-2"], 2,
        "--layers names 2 layers for 1 files (see 'errata stats import --help')")
      try fail(
        ["x.npz", "y.npz", "--layers", "1,2"], 1,
        "y.npz: was counted over 200 keys, and x.npz over 100; write a file for each of them")
      try fail(
        ["x.npz", "y.npz", "--layers", "1,1"], 2,
        "x.npz and y.npz: are both said to be of layer 1; convert each, and merge them")
      try fail(
        ["small.npz", "--layers", "1"], 3,
        "small.npz: 'mom2.mom2' is 8 x 8, but the model's keys have 512 values; it belongs to another model")
      try fail(
        ["none.npz", "--layers", "1"], 6,
        "none.npz: not a .npz file of second moments: 'mom2.count' is not a positive number of keys")
      try fail(
        ["samples/corpus.txt", "--layers", "1"], 6,
        "samples/corpus.txt: not a .npz file of arrays: it is no zip archive, or cut off")
      try fail([], 2, "Missing expected argument '<files> ...' (see 'errata stats import --help')")
    }

    @Test func explainsItsParts() throws {
      for part in ["show", "merge", "import"] {
        #expect(try scratch.succeed("stats", part, "--help").output.contains("USAGE: errata stats \(part)"))
        #expect(try scratch.succeed("stats", "--help").output.contains("errata stats \(part)"))
      }
    }

    /// Kept factors change nothing but the time.
    @Test func factors() throws {
      let scratch = try Scratch()
      try scratch.copy("samples/stats.safetensors", to: "stats.safetensors")
      func edit(_ output: String) throws -> [UInt8] {
        let result = try Tool.errata(
          [
            "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats", "stats.safetensors",
            "--quiet", "-o", output,
          ], in: scratch.path, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
        try #require(result.exitCode == 0, "\(result.errors)")
        return try scratch.bytes(output)
      }
      let before = try edit("before.wpatch")
      let made = try scratch.succeed("stats", "factor", "stats.safetensors", "--json", "--quiet").json
      #expect(made["output"] == "stats.safetensors.factors" && made["layers"] == [0, 1, 2])
      #expect(made["bytes"]?.integerValue == (try scratch.bytes("stats.safetensors.factors").count))
      #expect(try edit("after.wpatch") == before)
      try scratch.write("no factors", to: "stats.safetensors.factors")
      let damaged = try Tool.errata(
        [
          "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats", "stats.safetensors",
          "--quiet", "-o", "x.wpatch",
        ], in: scratch.path)
      #expect(damaged.exitCode == 6)
      #expect(damaged.errors.hasPrefix("errata edit: stats.safetensors.factors: "))
      try scratch.fail(
        "stats", "factor", "samples/stats.safetensors", "--layers", "7", exitCode: 1,
        message: "errata stats factor: samples/stats.safetensors: has no second moments of layer 7, only of 0, 1, 2; "
          + "collect them with 'errata stats --layers 7'")
    }
  }
}

// MARK: - Archives as numpy.savez writes them

/// The sum and the count of a mean, stored and not compressed.
private func numpyArchive(_ mean: Matrix<Double>, count: Int) -> [UInt8] {
  let sums = mean.elements.flatMap { littleEndian(UInt64(($0 * Double(count)).bitPattern), 8) }
  return zipArchive([
    ("mom2.count.npy", numpyFile("<i8", "", littleEndian(UInt64(count), 8))),
    ("mom2.mom2.npy", numpyFile("<f8", "\(mean.rows), \(mean.columns)", sums)),
  ])
}

private func numpyFile(_ type: String, _ shape: String, _ elements: [UInt8]) -> [UInt8] {
  let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape)), }\n"
  return [0x93] + Array("NUMPY".utf8) + [1, 0] + littleEndian(UInt64(header.utf8.count), 2) + Array(header.utf8)
    + elements
}

private func littleEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}

private func zipArchive(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
  var file: [UInt8] = []
  var directory: [UInt8] = []
  for entry in entries {
    let (size, name) = (littleEndian(UInt64(entry.bytes.count), 4), Array(entry.name.utf8))
    var common: [UInt8] = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    common += littleEndian(UInt64(checksum(entry.bytes)), 4)
    common += size + size
    common += littleEndian(UInt64(name.count), 2)
    common += [0, 0] as [UInt8]
    let offset = littleEndian(UInt64(file.count), 4)
    file += [0x50, 0x4B, 3, 4] as [UInt8]
    file += common + name + entry.bytes
    directory += [0x50, 0x4B, 1, 2, 20, 0] as [UInt8]
    directory += common + [UInt8](repeating: 0, count: 10) + offset + name
  }
  let count = littleEndian(UInt64(entries.count), 2)
  var end: [UInt8] = [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
  end += count + count
  end += littleEndian(UInt64(directory.count), 4)
  end += littleEndian(UInt64(file.count), 4)
  end += [0, 0] as [UInt8]
  return file + directory + end
}

private func checksum(_ bytes: [UInt8]) -> UInt32 {
  var value = ~UInt32(0)
  for byte in bytes {
    value ^= UInt32(byte)
    for _ in 0..<8 {
      let shifted = value >> 1
      value = value & 1 == 1 ? shifted ^ 0xEDB8_8320 : shifted
    }
  }
  return ~value
}
