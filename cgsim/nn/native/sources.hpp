// Which sources these are, for cgsim.nn.native.sources.
constexpr long SOURCES = 3;
