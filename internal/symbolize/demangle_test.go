package symbolize

import "testing"

// Names as g++ 12 and rustc 1.95 (legacy and v0) mangle them.
func TestDemangled(t *testing.T) {
	for symbol, want := range map[string]string{
		"connect": "connect", "_ZN4pool6Client4openERK11sockaddr_in": "pool::Client::open",
		"_ZN4pool2v112_GLOBAL__N_16Hidden4dialEi":                                  "pool::v1::(anonymous namespace)::Hidden::dial",
		"_ZN4pool2v16ClientIlLi4EE4openIZ4mainEUliE_EElT_":                         "pool::v1::Client<long, 4>::open<main::{lambda(int)#1}>",
		"_ZN4pool2v16ClientIlLi4EE4openISt8functionIFiiEEEElT_":                    "pool::v1::Client<long, 4>::open<std::function<int (int)> >",
		"_ZN4pool2v16ClientIlLi4EEC1Ev":                                            "pool::v1::Client<long, 4>::Client",
		"_ZN4pool2v16ClientIlLi4EED2Ev":                                            "pool::v1::Client<long, 4>::~Client",
		"_ZN4pool2v16ClientIlLi4EEcvbEv":                                           "pool::v1::Client<long, 4>::operator bool",
		"_ZZ4mainENKUliE_clEi":                                                     "main::{lambda(int)#1}::operator()",
		"_ZNSt17_Function_handlerIFiiEZ4mainEUliE_E9_M_invokeERKSt9_Any_dataOi":    "std::_Function_handler<int (int), main::{lambda(int)#1}>::_M_invoke",
		"_ZN3app4pool3get17h0123456789abcdefE":                                     "app::pool::get",
		"_ZN3app4pool15Client$LT$T$GT$4open17h3b53d25fb0985986E":                   "app::pool::Client<T>::open",
		"_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17he39bdf0230cb3880E": "std::rt::lang_start::{{closure}}",
		"_RNvCs1234_3app4main":                                                     "app::main",
		"_RNvNtCs6xxl1lAjzDf_1a4pool3get":                                          "a::pool::get",
		"_RINvMNtCs6xxl1lAjzDf_1a4poolINtB3_6ClientmE4openNCNvB5_4main0EB5_":       "<a::pool::Client<u32>>::open::<a::main::{closure#0}>",
		"_RNvXs_NtCs6xxl1lAjzDf_1a4poolINtB4_6ClientmENtB4_4Dial4dial":             "<a::pool::Client<u32> as a::pool::Dial>::dial",
		"_RNCINvNtCsjrHSEGnQ3l9_3std2rt10lang_startuE0Cs6xxl1lAjzDf_1a":            "std::rt::lang_start::<()>::{closure#0}",
		"_Zbroken": "_Zbroken", "_RNvbroken": "_RNvbroken", "": "",
	} {
		if got := demangled(symbol); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}

func FuzzDemangled(f *testing.F) {
	f.Add("_ZN4pool2v16ClientIlLi4EE4openIZ4mainEUliE_EElT_")
	f.Add("_RINvMNtCs6xxl1lAjzDf_1a4poolINtB3_6ClientmE4openNCNvB5_4main0EB5_")
	f.Fuzz(func(t *testing.T, symbol string) {
		if len(symbol) > maxName {
			return
		}
		if name := demangled(symbol); len(name) > max(len(symbol), 1<<maxNameLog) {
			t.Errorf("%d bytes of %d", len(name), len(symbol))
		}
		kindOfFunction(symbol)
		kindOfJIT(symbol)
	})
}
