import Foundation
import Testing

@Suite struct DistributionTests {
  /// `make dist`: the tools with the libraries of the Swift runtime, which they find beside themselves.
  @Test func carriesTheSwiftRuntime() throws {
    let scratch = try Scratch()
    let folder = scratch("errata-linux")
    let made = try Tool.run(Samples.root + "/.ci/make-dist", [Tool.folder, folder], in: Samples.root)
    #expect(made.exitCode == 0, "\(made.errors)")
    #expect(made.output.contains("21 tools"))
    let names = try scratch.names(in: "errata-linux")
    #expect(names.contains("errata-edit") && names.contains("libswiftCore.so") && !names.contains("libopenblas.so.0"))
    // Nothing but the system's libraries is asked for elsewhere.
    let result = try Tool.run(
      folder + "/errata", ["verify", "samples/five-facts.wpatch"], in: scratch.path,
      environment: ["LD_LIBRARY_PATH": folder])
    #expect(result.exitCode == 0 && result.output.contains("hold"))
    #expect(scratch.exists("errata-linux.tar.gz"))
    // What is installed finds the other tools and the runtime through a link.
    #expect(try Self.install([folder, scratch("usr")]).exitCode == 0)
    let installed = try Tool.run(
      scratch("usr/bin/errata"), ["verify", "samples/five-facts.wpatch"], in: scratch.path)
    #expect(installed.exitCode == 0 && installed.output.contains("hold"))
  }

  @Test func installsTwiceAndLeavesNothingBehind() throws {
    let scratch = try Scratch()
    try scratch.makeTools("old", ["errata", "errata-show", "errata-gone"])
    try scratch.makeTools("new", ["errata", "errata-show"])
    try scratch.makeTools("a b/bin", ["errata-theirs"])
    #expect(try Self.install([scratch("old"), scratch("a b")]).exitCode == 0)
    #expect(try scratch.names(in: "a b/bin").sorted() == ["errata", "errata-gone", "errata-show", "errata-theirs"])
    #expect(try Self.install([scratch("new"), scratch("a b")]).exitCode == 0)
    #expect(try scratch.names(in: "a b/bin").sorted() == ["errata", "errata-show", "errata-theirs"])
    #expect(try Tool.run(scratch("a b/bin/errata-show"), [], in: scratch.path).output == "new errata-show\n")
    #expect(try Self.install(["--remove", scratch("a b")]).exitCode == 0)
    #expect(try scratch.names(in: "a b/bin").sorted() == ["errata-theirs"])
    #expect(try scratch.names(in: "a b/lib").isEmpty)
  }

  @Test func installsOverNobodyElse() throws {
    let scratch = try Scratch()
    try scratch.makeTools("new", ["errata", "errata-show"])
    try scratch.makeTools("usr/bin", ["errata-show"])
    let result = try Self.install([scratch("new"), scratch("usr")])
    #expect(result.exitCode == 1)
    #expect(result.errors == "install: \(scratch("usr/bin/errata-show")) is there and is not ours; move it away\n")
    #expect(try scratch.names(in: "usr") == ["bin"])
  }

  private static func install(_ arguments: [String]) throws -> ToolResult {
    try Tool.run(Samples.root + "/.ci/install", arguments, in: Samples.root)
  }
}

extension Scratch {
  /// Programs that say which they are and from where.
  fileprivate func makeTools(_ folder: String, _ names: [String]) throws {
    try FileManager.default.createDirectory(atPath: self(folder), withIntermediateDirectories: true)
    for name in names {
      let created = FileManager.default.createFile(
        atPath: self("\(folder)/\(name)"), contents: Data("#!/bin/sh\necho \(folder) \(name)\n".utf8),
        attributes: [.posixPermissions: 0o755])
      #expect(created)
    }
  }
}
