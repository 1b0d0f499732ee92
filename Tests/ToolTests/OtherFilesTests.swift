import Foundation
import Tensors
import Testing

extension ToolTests {
  /// Files and folders that are something else than what was asked for: the message says what.
  @Suite struct OtherFiles {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "0", count: 64))\nsize 3\n"
    /// The beginning of a zip archive whose first file has a name.
    private static func zip(_ name: String) -> [UInt8] {
      Array("PK\u{3}\u{4}".utf8) + Array(repeating: 0, count: 22) + [UInt8(name.utf8.count), 0, 0, 0] + Array(name.utf8)
    }

    private static let kinds: [(name: String, bytes: [UInt8], is: String, remedy: String)] = [
      (
        "gguf", Array("GGUF\u{3}\0\0\0".utf8), "a GGUF file",
        "use the safetensors checkpoint that it was made from, and serve this one with an adapter ('errata export "
          + "--to gguf')"
      ),
      ("torch", zip("archive/data.pkl"), "a PyTorch file (pickle)", "convert it to safetensors first"),
      ("old torch", [0x80, 2, 0x8A, 10], "a PyTorch file (pickle)", "convert it to safetensors first"),
      ("npz", zip("mom2.npy"), "a NumPy archive (.npz)", "import or convert it first"),
      ("npy", [0x93] + Array("NUMPY\u{1}\0".utf8), "a NumPy array (.npy)", "import or convert it first"),
      ("zip", zip("model.safetensors"), "packed (zip)", "unpack it first"),
      ("gzip", [0x1F, 0x8B, 8, 0], "packed (gzip)", "unpack it first"),
      ("html", Array("\n<!DOCTYPE html><html>".utf8), "a web page", "download the file itself"),
      ("xml", Array("<?xml version=\"1.0\"?><Error>".utf8), "a web page", "download the file itself"),
      ("h5", [0x89] + Array("HDF\r\n\u{1A}\n".utf8), "an HDF5 file (TensorFlow)", "convert it to safetensors first"),
    ]

    /// As a patch, as a bare file of weights, as a checkpoint's weights, and as its configuration, whatever the suffix.
    @Test func anotherFormat() throws {
      try scratch.copyModel()
      for kind in Self.kinds {
        for name in ["x.wpatch", "x.safetensors", "x"] {
          try scratch.write(kind.bytes, to: name)
          let asPatch = "\(name): is \(kind.is), not a patch; \(kind.remedy)"
          try scratch.fail("show", name, exitCode: 6, message: "errata show: \(asPatch)")
          try scratch.fail("verify", name, exitCode: 6, message: "errata verify: \(asPatch)")
          try scratch.fail("apply", "samples/model", name, "-o", "o", exitCode: 6, message: "errata apply: \(asPatch)")
          try scratch.fail(
            "apply", name, "samples/five-facts.wpatch", "-o", "o", exitCode: 6,
            message: "errata apply: \(name): is \(kind.is), not a safetensors file; \(kind.remedy)")
        }
        try scratch.write(kind.bytes, to: "model/model.safetensors")
        try scratch.fail(
          "ask", "model", "Hello", exitCode: 6,
          message: "errata ask: model/model.safetensors: is \(kind.is), not a safetensors file; \(kind.remedy)")
      }
    }

    @Test func lfsPointers() throws {
      let problem = "is a Git LFS pointer, not the file that it stands for; run 'git lfs pull'"
      try scratch.write(Self.pointer, to: "x.wpatch")
      try scratch.fail("show", "x.wpatch", exitCode: 6, message: "errata show: x.wpatch: \(problem)")
      for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        try scratch.copyModel(to: file + "/model")
        try scratch.write(Self.pointer, to: file + "/model/" + file)
        try scratch.fail(
          "ask", file + "/model", "Hello", exitCode: 6, message: "errata ask: \(file)/model/\(file): \(problem)")
      }
    }

    /// One decision, by content: a patch without its suffix, and weights without theirs.
    @Test func patchesAndCheckpointsByContent() throws {
      try scratch.write(scratch.bytes("samples/five-facts.wpatch"), to: "p.safetensors")
      try scratch.write(scratch.bytes("samples/model/model.safetensors"), to: "weights.wpatch")
      #expect(try scratch.errata("show", "p.safetensors").output.contains("five-facts") == false)
      #expect(try scratch.errata("show", "p.safetensors").exitCode == 0)
      #expect(try scratch.errata("verify", "p.safetensors").exitCode == 0)
      #expect(try scratch.errata("show", "weights.wpatch").exitCode == 0)
      #expect(try scratch.errata("diff", "weights.wpatch", "samples/model/model.safetensors").exitCode == 0)
      #expect(try scratch.errata("diff", "samples/model", "p.safetensors").exitCode == 0)
      try scratch.fail(
        "apply", "samples/five-facts.wpatch", "samples/five-facts.wpatch", "-o", "o", exitCode: 6,
        message: "errata apply: samples/five-facts.wpatch: is a patch, not a safetensors file; "
          + "check what was named, and in which order")
      try scratch.fail(
        "apply", "samples/model", "samples/model/model.safetensors", "-o", "o", exitCode: 6,
        message: "errata apply: samples/model/model.safetensors: is a safetensors file, not a patch; "
          + "check what was named, and in which order")
    }

    /// A copy for which every line feed became two characters.
    @Test func copiedAsText() throws {
      for (name, source) in [("p.wpatch", "samples/five-facts.wpatch"), ("w", "samples/model/model.safetensors")] {
        let bytes = try scratch.bytes(source)
        try scratch.write(bytes.flatMap { $0 == 10 ? [13, 10] : [$0] }, to: name)
        let problem =
          "\(name): damaged by a copy as text, which put a carriage return before every line feed; copy it again as "
          + "binary"
        try scratch.fail("show", name, exitCode: 6, message: "errata show: \(problem)")
      }
      // Text with such lines is nothing of the kind.
      try scratch.write("{\r\n\"a\": 1,\r\n\"b\": 2,\r\n x}", to: "j")
      try scratch.fail(
        "show", "j", exitCode: 6, message: "errata show: j: is not a .wpatch file, or its first bytes are damaged")
    }

    @Test func danglingLinks() throws {
      for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        try scratch.copyModel(to: file + "/model")
        let path = file + "/model/" + file
        try scratch.remove(path)
        try FileManager.default.createSymbolicLink(atPath: scratch(path), withDestinationPath: "../../blobs/abc")
        try scratch.fail(
          "ask", file + "/model", "Hello", exitCode: 1,
          message: "errata ask: \(path): is a link to ../../blobs/abc, which is not there; fetch the file again")
      }
    }

    /// A folder with a configuration, perhaps, and some other file in place of the weights.
    @Test(arguments: [
      (
        "pytorch_model.bin",
        "its weights are not in safetensors (pytorch_model.bin); convert the checkpoint to safetensors first"
      ),
      ("tf_model.h5", "its weights are not in safetensors (tf_model.h5); convert the checkpoint to safetensors first"),
      (
        "model-q4.gguf",
        "its weights are not in safetensors (model-q4.gguf); convert the checkpoint to safetensors first"
      ),
      (
        "model.fp16.safetensors",
        "has no model.safetensors, but model.fp16.safetensors; rename it or link it, if these are the weights to use"
      ),
      (
        "consolidated.safetensors",
        "has no model.safetensors, but consolidated.safetensors; rename it or link it, if these are the weights to use"
      ),
      (
        "model-00001-of-00002.safetensors",
        "has shards (model-00001-of-00002.safetensors), but no model.safetensors.index.json, which says what is in "
          + "them; fetch it"
      ),
      (
        "adapter_model.safetensors",
        "holds a PEFT adapter, not a checkpoint; make a patch of it with 'errata import'"
      ),
      (
        "training_args.bin",
        "there is neither model.safetensors nor model.safetensors.index.json; convert the checkpoint to safetensors "
          + "first"
      ),
    ]) func foldersWithoutWeights(file: String, problem: String) throws {
      try scratch.makeFolder("m")
      try scratch.write("{}", to: "m/config.json")
      try scratch.write("", to: "m/" + file)
      try scratch.fail("show", "m", exitCode: 1, message: "errata show: m: \(problem)")
      try scratch.fail(
        "apply", "m", "samples/five-facts.wpatch", "-o", "o", exitCode: 1, message: "errata apply: m: \(problem)")
    }

    @Test func adapters() throws {
      try scratch.makeFolder("m")
      try scratch.write("{}", to: "m/adapter_config.json")
      try scratch.fail(
        "show", "m", exitCode: 1,
        message: "errata show: m: holds a PEFT adapter, not a checkpoint; make a patch of it with 'errata import'")
      let name = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
      let header = Array(#"{"\#(name)":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
      try scratch.write(
        withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header + [0, 0, 0, 0], to: "a")
      try scratch.fail(
        "show", "a", exitCode: 1,
        message: "errata show: a: is a PEFT adapter, not a checkpoint; make a patch of it with 'errata import'")
    }

    @Test(arguments: [
      (["tokenizer.model"], "tokenizer.model"), (["vocab.json", "merges.txt"], "vocab.json, merges.txt"),
    ])
    func otherTokenizers(files: [String], list: String) throws {
      try scratch.copyModel()
      try scratch.remove("model/tokenizer.json")
      for file in files { try scratch.write("x", to: "model/" + file) }
      try scratch.fail(
        "ask", "model", "Hello", exitCode: 1,
        message: "errata ask: model: no tokenizer.json, only \(list); transformers writes it: "
          + "AutoTokenizer.from_pretrained(MODEL, use_fast=True).save_pretrained(MODEL)")
    }
  }
}
