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
  }
}
