"""The tokenizer's rules as data: character classes, the pattern of pieces, word lists a language.

text.hpp is built from these lists and does what `fastner.text` states; the pattern is what its
scanner is tested against, and what clients in other languages may compile.
"""

import re
import sys
from typing import TypedDict

# --- Character classes, as the inside of a regular expression's brackets -----------------------
# All that str.isspace accepts, written out.
_SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls
_PICTOGRAPH = r"\u2190-\u2bff\U0001f000-\U0001faff"
_MARK = (  # punctuation and symbols
    r"!-/:-@\[-\^`{-~\xa1-\xa9\xab\xac\xae-\xb1\xb4\xb6\xb8\xbb\xbf\xd7\xf7"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2120\u2122"
    r"\u3001-\u3004\u3008-\u3020\u3030\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
# Scripts that write no spaces. Han: each character; kana: runs; others: a letter with its marks.
_HAN = r"\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_HIRAGANA = r"\u3041-\u3096\u3099-\u309f"
_KATAKANA = r"\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3099\u309a\uff66-\uff9f"
_CLUSTER_MARK = (  # Thai, Lao, Burmese and Khmer signs that lean on the letter before
    r"\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u1038\u103a-\u103e"
    r"\u1056-\u1059\u17b4-\u17d1\u17d3\u17dd"
)
_STACKER = r"\u1039\u17d2"  # joins the next letter, too
_CLUSTER = (
    r"\u0e01-\u0e2f\u0e40-\u0e44\u0e46\u0e4f\u0e5a\u0e5b\u0e81-\u0eaf\u0ebd-\u0ec6\u0edc-\u0edf"
    r"\u1000-\u102a\u103f\u104a-\u1055\u105a-\u109f\u1780-\u17b3\u17d4-\u17dc"
)
_SCRIPTS = _HAN + _HIRAGANA + _KATAKANA + _CLUSTER + _CLUSTER_MARK + _STACKER
# A word character is any other: letters, digits and _, and also combining marks, unassigned code
# points and lone surrogates, none of which should part a word.
_WORD = rf"[^{_SPACE}{_INVISIBLE}{_MARK}{_PICTOGRAPH}{_SCRIPTS}]"

# Read as if they were not there, but for joiners and variation selectors behind pictographs.
_FORMAT = (
    r"\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    r"\U000e0001\U000e0100-\U000e01ef"
)

_ENDS_WORD = r';!?()"“”'  # and white space
_ALONE = r',;()\[\]{}"“”'
_MODIFIER = r"\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"

_NOTE = "¹²³⁰⁴-⁹"  # number a note

_CLITIC = rf"['’](?:[sSmMdD]|[lL][lL]|[rR][eE]|[vV][eE])(?!{_WORD})"
_NOT = rf"[nN]['’][tT](?!{_WORD})"
_LINK_STOP = rf"{_SPACE}<>\"“”«»()\[\]"
_BRACKETS = rf"\([^{_LINK_STOP}]*\)|\[[^{_LINK_STOP}]*\]"  # that a URL opens and closes
_LINK_TAIL = rf"(?:[^{_LINK_STOP}]|{_BRACKETS})*(?:[^{_LINK_STOP}.,;:!?'’}}…]|{_BRACKETS})"
_LABEL = "[A-Za-z0-9-]{1,63}"

# Every repetition is either one character class or bounded, so that time is linear in any text.
PIECE = rf"""
    # The common cases first: a run of word characters that nothing joins to what follows, white
    # space, and marks that always stand alone.
      {_WORD}+(?=[{_SPACE}{_ENDS_WORD}]|,(?![0-9])|\.(?:[{_SPACE}]|\Z)|\Z)
    | [{_SPACE}]+
    | [{_ALONE}]
    # Internet: URL, e-mail, host with path (bit.ly/x), handle and tag.
    | (?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://{_LINK_TAIL} | [wW][wW][wW]\.{_LINK_TAIL}
    | [A-Za-z0-9_%+][A-Za-z0-9._%+-]{{0,63}}@{_LABEL}(?:\.{_LABEL}){{1,5}}
    | {_LABEL}(?:\.{_LABEL}){{0,4}}\.[a-z]{{2,24}}/(?:{_LINK_TAIL})?
    | @{_WORD}+ | \#(?=[0-9]*(?![0-9]){_WORD}){_WORD}+
    # Clitics: do|n't, it|'s.
    | {_NOT} | [A-Za-z]+(?={_NOT}) | {_CLITIC}
    # C++, C#, AA+; US$ as in CoNLL-2003.
    | [A-Za-z]{{1,3}}(?:\+\+?|\#)(?!{_WORD}|[+\#]) | [A-Z]{{1,3}}\$(?=[0-9{_SPACE}]|\Z)
    # Words and numbers with joints, a phone number's or gain's plus, and the last dot of U.S.
    | (?:(?<![0-9])\+(?=[0-9]))? {_WORD}+
      (?:(?: \.?- | [‐‑&]                              # COMMERCE-BASED, U.S.-led, AT&T
           | (?<=[0-9])[.,:/–](?=[0-9])                # 1,234.56  10:30  1996/97
           | (?<![a-z0-9])\. | \.(?![A-Z](?!\.)|[{_NOTE}])  # U.S  Ph.D  a.org, but not Paris.The
           | (?!{_CLITIC})['’] )                       # O'Brien
       {_WORD}+){{0,64}}
      (?:(?<=\.[A-Za-z])\.(?!\.))?
    | \.[0-9]+(?!{_WORD})
    # Scripts without spaces.
    | [{_HAN}] | [{_HIRAGANA}]+ | [{_KATAKANA}]+
    | [{_CLUSTER}](?:[{_CLUSTER_MARK}]|[{_STACKER}][{_CLUSTER}]?)*
    # Marks that stand together.
    | \.+ | [!?]+ | -+ | \*+ | =+ | ~+ | '' | ``
    | [\U0001f1e6-\U0001f1ff]{{2}}
    | [{_PICTOGRAPH}][{_MODIFIER}]*(?:\u200d[{_PICTOGRAPH}][{_MODIFIER}]*){{0,15}}
    | [{_INVISIBLE}]+
    | .
    """

# --- Sentences -----------------------------------------------------------------------------------
_FULL_STOPS = "。！？｡।॥؟۔"  # end a sentence without white space
_LAST = ".!?…" + _FULL_STOPS  # last characters of the pieces that may end one
_CLOSERS = "\"'”’»)\\]}」』）】》"
_OPENERS = "\"'“‘«(\\[{„‚¿¡`「『（【《"
_CONTINUERS = ",;:.!?…)\\]}%&/*+=|\\-–—"
_BULLETS = "\\-*•‣◦·–—"

CLASSES = {  # the names are those of text.hpp
    "space": _SPACE,
    "ends_word": _SPACE + _ENDS_WORD,
    "alone": _ALONE,
    "invisible": _INVISIBLE,
    "mark": _MARK,
    "pictograph": _PICTOGRAPH,
    "modifier": _MODIFIER,
    "han": _HAN,
    "hiragana": _HIRAGANA,
    "katakana": _KATAKANA,
    "cluster": _CLUSTER,
    "cluster_mark": _CLUSTER_MARK,
    "stacker": _STACKER,
    "link_stop": _LINK_STOP,
    "link_trim": ".,;:!?'’}…",
    "last": _LAST,
    "full_stop": _FULL_STOPS,
    "closer": _CLOSERS,
    "opener": _OPENERS,
    "continuer": _CONTINUERS,
    "bullet": _BULLETS,
    "line_end": r"\n\r\x0b\x85\u2028",
    "page_end": r"\f\x1c-\x1e\u2029",
    "format": _FORMAT,
    "folded": r"\uff02-\uff1e\uff20-\uff5e",  # but not the full stops ！？
    "markup": r"*_~`\[!|#",
    "note": _NOTE,
}
_NO_WORD = (
    "space",
    "invisible",
    "mark",
    "pictograph",
    "han",
    "hiragana",
    "katakana",
    "cluster",
    "cluster_mark",
    "stacker",
)


# --- Words ---------------------------------------------------------------------------------------
def _capitals_too(words: str) -> str:
    return f"{words} {words.upper()}"


def _as_first_too(words: str) -> str:
    return " ".join([words, *(word[0].upper() + word[1:] for word in words.split())])


# What all languages share.
_SHARED = {
    "title": _capitals_too("Mr Mrs Ms Dr Prof Gen Col Capt Rev St Ste Mt Ft Mme Mlle")
    + " vs Vs VS cf Cf",
    "numbered": "No Nos NO Nr nr Vol vol Fig fig Art p pp",
    "final": "etc",  # ends a sentence before any capital
    "abbreviation": "approx Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Jr Sr",
    "company": _capitals_too("Inc Corp Ltd Co Cos Bros Plc Pty Cia"),
    # goes on with a name whose own mark is ! or ?
    "suffix": """Inc Corp Corporation Ltd Co LLC LLP plc PLC AG SA GmbH Brands Group Holdings
        Holding Association""",
    "marked_name": "Yahoo Yum Jeopardy Guess Joomla Chips Ahoy Jumbo",
    "given_name": """Adam Agnes Alan Albert Alejandro Alex Alexander Alexandra Alice Amy Ana
        Andrea Andrei Andrew Angela Anita Ann Anna Anne Anthony Antonio Barbara Ben Benjamin
        Bernard Beth Betty Bill Billy Bob Bobby Boris Brian Carl Carlos Carmen Carol Caroline
        Catherine Cathy Charles Chris Christian Christina Christine Christopher Cindy Claire
        Claudia Daniel Dave David Deborah Dennis Diana Diane Dmitry Donald Donna Dorothy Douglas
        Edward Elena Elizabeth Ellen Emily Emma Eric Erik Eva Fatima Fernando Fiona Francesca
        Francis Francisco Fred Gary George Gerhard Gerald Giovanni Hannah Hans Harry Heather Heidi
        Helen Helga Helmut Henry Igor Ingrid Irene Ivan Jack Jacob Jacques James Jane Janet Jason
        Javier Jean Jeff Jennifer Jenny Jeremy Jessica Jim Jimmy Joan Joe Johan Johannes John
        Jonathan Jorge Jose Joseph Juan Judith Judy Julia Julie Karen Karl Kate Katherine Kathy
        Katie Keith Kelly Ken Kenneth Kevin Klaus Larry Laura Lauren Leo Linda Lisa Luca Lucas Lucy
        Luis Luke Manuel Marco Margaret Maria Marie Mario Marta Martha Martin Mary Matthew Megan
        Melissa Michael Michel Michelle Miguel Mike Mohamed Mohammed Monica Nancy Natalia Natalie
        Nicholas Nicolas Nicole Nina Nora Olga Oliver Olivia Omar Oscar Pamela Patricia Patrick
        Paul Pavel Pedro Peter Philip Pierre Priya Rachel Ralph Raymond Rebecca Ricardo Richard
        Rita Robert Roberto Roger Roland Ronald Ruth Ryan Sally Samantha Samuel Sandra Sara Sarah
        Sergei Sharon Simon Sofia Sophie Stefan Stephanie Stephen Steve Steven Stuart Susan Suzanne
        Svetlana Teresa Theresa Thomas Tim Timothy Tom Tony Ursula Valerie Vera Vladimir Walter Wei
        Wendy William Yuki Yusuf Zoe""",
    "mail_header": """From To Cc CC Bcc BCC Subject Date Sent Reply-To Received Attachments Von
        An Betreff Gesendet Datum De Para Asunto Assunto Objet Envoyé À Da A Oggetto Van Aan
        Onderwerp Temat Od Do""",
    "greeting": "Hi Hello Hey Dear Good",
    "sign_off": "Best Kind Regards Thanks Thank Cheers Sincerely Yours Warm Love Many Respectfully",
    # of HTML: those whose text is no part of the line around them
    "block_tag": """address article aside blockquote body br caption center dd details dialog div
        dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe
        legend li main menu nav ol optgroup option p pre section select summary table tbody td
        textarea tfoot th thead title tr ul video""",
}
_ENGLISH = {
    "title": _capitals_too(
        """Messrs Lt Maj Sgt Cpl Cmdr Adm Rep Reps Sen Sens Gov Pres Hon Fr Supt Det Insp"""
    )
    + " v eg ie ca viz",
    # words of their own ("No. He left."), abbreviations only before a number
    "numbered": "no nos Figs Sec Ch",
    "abbreviation": _capitals_too("Intl Assn Dept Univ")
    + """ JR SR Mon Tue Tues Wed Thu Thurs Fri
        Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Mo Mont Neb Nev
        Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo Ave Blvd Rd
        al est inc corp ltd jr sr esp incl excl avg min max Esq
        U.S U.K U.N E.U U.A.E U.S.A U.S.S.R D.C N.Y N.J N.C S.C L.A B.C P.R N.H N.M N.D S.D R.I W.Va
        a.m p.m A.M P.M Ph.D M.D J.D Ed.D D.D.S B.A M.A B.S M.S M.B.A B.Sc M.Sc R.N R.D
        N.B.A N.F.L N.H.L N.C.A.A F.B.I C.I.A""",
    "street": "St ST",
    "starter": """A About According After Although Among An And Another Any As At Because Before
        Both But By Despite During Each Earlier Even Everybody
        Everyone For From He Her His How However I If In It Its
        Last Later Many Meanwhile More Most My Neither Next No Nobody None Not Nothing Now Of On
        Once One Only Other Our Perhaps She Since So Some Somebody Someone Soon Still That The
        Their Then There These They This Those Though Through To Today Two Under Until We What When
        Where Whether Which While Who Why With Yesterday Yet You Your Additionally
        Afterwards Currently Eventually Finally Following Initially Instead Originally Recently
        Several Therefore Thus Unlike Upon Analysts Critics Dealers Economists Experts Investors
        Officials Shares Traders""",
    "verb": """is was were are am be been has have had does do did says say said will would can
        could may might must shall should works work worked lives live left leaves went goes came
        comes made makes took takes got gets gave gives saw sees knew knows thought thinks won wins
        lost loses rose rises fell falls grew grows ran runs began begins became becomes met meets
        told tells held holds kept keeps sold sells bought buys paid pays cut cuts put hit beat set
        led spoke speaks wrote writes stood stands sat sits felt feels found finds sent sends built
        brought caught taught spent read wants want likes loves hopes plans plays needs looks seems
        moves closed""",
    "role": """Chairman Chairwoman President Vice Chief Executive Director Managing CEO CFO
        Treasurer Secretary Founder Co-founder Manager Spokesman Spokeswoman Analyst Chairperson
        Deputy""",
    "function": """a an the of to in on at by for from with and or but nor as than that which who
        whom whose if when while where because before after until since into onto upon about over
        under between among through during without within against toward towards is was were are am
        be been being has have had do does did will would can could may might must shall should not
        his her its their our my your this these those some any no every each more most very such
        so it he she they we you""",
    "joiner": "and or to",
}
# A language's own words, and what it writes otherwise.
_OTHERS: dict[str, dict[str, str]] = {
    "de": {
        "title": """Hr Fr Hrn Frl Dres Dipl Ing Hl hl bzw Bzw sog Sog ca Ca
            vgl Vgl z d h u o i v a St""",
        "numbered": "Nr Nrn Abs Bd S Kap Abb Tab Ziff Anm",
        "final": "usw usf",
        "abbreviation": """Str str Jh Jhs jährl Mio Mrd Tel evtl ggf inkl exkl geb gest gegr bes
            bspw engl franz lat ital röm griech dt amtl eigtl urspr allg ehem verh Univ Red Hrsg
            Aufl Jan Feb Febr März Apr Jun Jul Aug Sep Sept Okt Nov Dez Mo Di Mi Do Std Stk Min
            Sek""",
        "company": "Cie e.V",
        "starter": """Aber Alle Allerdings Als Am An Auch Auf Aus Außerdem Bei Beide Bis Da Dabei
            Dadurch Daher Damit Danach Dann Darauf Das Dass Davon Dazu Der Des Die Dies Diese
            Dieser Dieses Doch Dort Du Durch Ein Eine Einen Einer Einige Er Erst Es Für Gegen Heute
            Hier Hinter Ich Ihm Ihn Ihr Ihre Im In Insgesamt Ist Jedoch Jetzt Kein Keine Man Mit
            Nach Nachdem Neben Nicht Noch Nun Nur Ob Obwohl Ohne Seit Sein Seine Sie Sind So Sowohl
            Später Trotz Über Um Und Unter Viele Vom Von Vor Während Was Weil Weitere Wenn Wer Wie
            Wir Wo Zu Zudem Zum Zur Zwar Zwei Zwischen""",
        "function": """der die das den dem des ein eine einen einem einer eines und oder aber in
            im an am auf aus bei mit nach von vom zu zum zur für über unter um durch gegen ohne als
            wie dass weil wenn ob ist sind war waren hat haben hatte wird werden wurde nicht sich
            sehr er sie es wir ich ihr sein seine ihre""",
        "joiner": "und oder bzw sowie bis noch als",
        "greeting": "Liebe Lieber Hallo Guten Sehr",
        "sign_off": "Viele Mit Liebe Beste Herzliche Gruß Grüße Danke",
    },
    "fr": {
        "title": "M MM Mgr Me Pr Sgt Cdt Dr Drs av apr env cf ex St Ste",
        "numbered": "n no art chap fig vol éd",
        "abbreviation": "janv févr avr juil sept oct nov déc bd tél",
        "company": "Cie Sté",
        "starter": """À Ainsi Alors Après Au Aucun Aujourd Aussi Autre Aux Avant Avec Beaucoup Ce
            Cela Celle Celui Ces Cet Cette Chaque Comme Comment Dans De Depuis Des Deux Dès Donc Du
            Elle Elles En Enfin Entre Et Il Ils Je L La Le Les Leur Lors Lorsque Mais Malgré Même
            Mon Ne Non Nos Notre Nous On Or Où Par Parce Pendant Peu Plus Plusieurs Pour Pourquoi
            Puis Quand Que Quel Quelle Qui Sa Sans Se Selon Ses Si Son Sous Sur Tous Tout Toute Un
            Une Vers Voici Voilà Vos Votre Vous Y""",
        "function": """le la les un une des du de au aux et ou mais dans en sur sous par pour
            avec sans chez vers entre que qui dont où si ne pas plus très est sont était ont a être
            ce cette ces son sa ses leur leurs se il elle ils elles nous vous je on""",
        "joiner": "et ou",
        "elision": "l d j m t s n c qu jusqu lorsqu puisqu quoiqu",
        "greeting": "Bonjour Cher Chère Chers Bonsoir Salut",
        "sign_off": "Cordialement Bien Merci Amicalement Amitiés",
    },
    "it": {
        "title": _as_first_too(
            "sig sigg sig.ra dott dott.ssa dr prof avv ing on sen gen mons cfr sec"
        )
        + " S SS s",
        "numbered": "n nn art pag pagg cap fig vol",
        "final": "ecc",
        "abbreviation": "es gen feb mar apr mag giu lug ago set ott nov dic",
        "company": "S.p.A S.r.l",
        "starter": """A Al Alla Allo Anche Ancora Anni Così Con Da Dal Dalla Dei Del Della Dopo
            Dove Due Durante È E Era Fu Già Gli Ha I Il In Infatti Inoltre L La Le Lo Loro Ma
            Mentre Nei Nel Nell Nella Noi Non Ogni Oggi Per Perché Però Più Poi Prima Qual Quando
            Quella Quello Questa Queste Questi Questo Se Si Solo Sono Su Sua Sul Sulla Suo Tra
            Tutti Tutto Un Una Uno Viene""",
        "function": """il lo la i gli le un uno una di del dello della dei degli delle a al allo
            alla ai agli alle da dal dalla in nel nella con su sul sulla per tra fra e o ma che chi
            cui non si è sono era ha hanno più molto come se""",
        "joiner": "e ed o od",
        "elision": """l un d c v m t s n gl dell all dall nell sull coll quell bell sant nessun
            qualcun ciascun quest tutt mezz anch po com dov quand senz""",
        "greeting": "Ciao Caro Cara Gentile Buongiorno Salve",
        "sign_off": "Cordiali Saluti Grazie Distinti",
    },
    "ca": {
        "title": "Sr Sra Srs Dr Dra",
        "starter": """A Al Amb Aquest Aquesta Així Com De Del Després El Els En És Ha I L La Les
            No Per Però Quan Que Segons Si També Un Una""",
        "function": "el la els les un una de del dels a al als i o en amb per que no es és",
        "joiner": "i o",
        "elision": "l d n s m t",
    },
    "es": {
        "title": """Sr Sra Sres Srta Dr Dra Dres D Da Dña Ud Uds Vd Vds Gral Cnel Lic Ing Arq
            Mons Pdte s""",
        "numbered": "núm nº n art pág págs cap fig vol",
        "abbreviation": "aprox ej tel Av Avda Ctra pp EE UU",
        "company": "Cía",
        "starter": """A Además Ahora Al Algunos Allí Antes Así Aunque Cada Como Con Cuando De Del
            Desde Después Donde Dos Durante El Él Ella Ellos En Entonces Entre Era Es Esta Estas
            Este Esto Estos Fue Ha Hasta Hay Hoy La Las Le Lo Los Luego Más Mientras Mi Muchos Ni
            No Nos Nosotros Otra Otro Para Pero Por Porque Pues Que Qué Quien Se Según Ser Si Sí
            Sin Sobre Su Sus También Tan Tanto Todo Todos Tras Tras Tu Un Una Uno Y Ya Yo""",
        "function": """el la los las un una unos unas de del a al y e o u en con por para sin
            sobre entre desde hasta que quien cuyo como si no se es son era fue ha han muy más su
            sus le les lo nos""",
        "joiner": "y e o u",
        "greeting": "Hola Estimado Estimada Estimados Querido Querida Buenos Buenas",
        "sign_off": "Saludos Atentamente Un Gracias Cordialmente",
    },
    "pt": {
        "title": "Sr Sra Srs Srta Dr Dra Drs Prof Profa Eng Exmo Exma av r D Gen Cel séc",
        "numbered": "n nº núm art pág págs cap fig vol",
        "abbreviation": "aprox ex tel Av Jr jan fev mar abr mai jun jul ago set out nov dez",
        "company": "Cia Ltda",
        "starter": """A Ainda Além Algumas Alguns Antes Ao Após As Assim Até Cada Com Como Da Das
            De Depois Desde Do Dos Durante E É Ela Elas Ele Eles Em Embora Enquanto Entre Era Essa
            Esse Esta Este Eu Foi Há Hoje Isso Já Mais Mas Muitos Na Não Nas Nem No Nos Nós O Onde
            Os Ou Outra Outro Para Pela Pelo Por Porém Porque Quando Que Quem São Se Segundo Sem
            Ser Seu Seus Sob Sobre Sua Suas Também Tem Todos Um Uma""",
        "function": """o a os as um uma de do da dos das em no na nos nas por pelo pela para com
            sem sob sobre entre e ou mas que quem como se não é são era foi tem muito mais seu sua
            ao aos à às""",
        "joiner": "e ou",
        "greeting": "Olá Oi Caro Cara Prezado Prezada Bom Boa",
        "sign_off": "Atenciosamente Abraços Obrigado Obrigada Cumprimentos",
    },
    "nl": {
        "title": """Dhr dhr Mevr mevr Mw mw Drs drs Ir ir Ing ing Mr mr Prof prof Dr dr Ds ds St
            bv bijv t.a.v ca vgl""",
        "numbered": "nr nrs art blz fig vol",
        "final": "enz",
        "abbreviation": "jan feb mrt apr jun jul aug sept okt nov dec jl zgn resp max min",
        "company": "Mij",
        "starter": """Aan Alle Als Bij Daar Daarbij Daarna Dan Dat De Deze Die Dit Door Drie
            Echter Een Elk Elke En Er Geen Haar Het Hier Hij Hoe Hoewel Hun Ik In Is Ja Je Later
            Maar Men Met Mijn Na Naar Naast Niet Nog Nu Of Om Omdat Onder Ondanks Ook Op Over Sinds
            Soms Te Tegen Terwijl Tijdens Toch Toen Tot Tussen Twee Uit Vanaf Van Veel Vele Volgens
            Voor Vooral Waar Wanneer Want Wat We Wel Wie Wij Ze Zij Zijn Zo Zoals Zonder""",
        "function": """de het een van in op aan bij met voor door over onder uit naar tot te om
            en of maar dat die als is was zijn waren heeft hebben had wordt werd niet ook nog zich
            hij zij ze we ik""",
        "joiner": "en of",
        "apostrophe": "s t n k m r",
        "greeting": "Beste Geachte Hallo Hoi Lieve Dag",
        "sign_off": "Met Groet Groeten Vriendelijke Hartelijke Bedankt",
    },
    "pl": {
        "title": _as_first_too(
            "p pp dr prof mgr inż hab ks gen płk kpt por św bł np tzw tj m.in ok ul al pl os im"
        ),
        "numbered": "nr s str art ust poz rys tab",
        "final": "itd itp r zł in",
        "abbreviation": "tys mln mld godz tel ang łac niem ros wł ur zm",
        "starter": """A Ale Aby Bo Być Był Była Były Był Było Co Czy Dla Do Dzięki Gdy Gdzie I
            Ich Ja Jak Jako Jednak Jego Jej Jest Jeśli Już Kiedy Który Która Ma Mimo Może My Na Nad
            Nie Nowy O Obecnie Od Oba On Ona One Oni Oprócz Oraz Po Pod Podczas Ponadto Poza
            Później Przed Przez Przy Są Ta Tak Także Tam Te Ten To Tu Tym U W We Wraz Według Wśród
            Wtedy Z Za Ze Zgodnie Został Została""",
        "function": """w we z ze na do od o u i a oraz lub albo ale że który która które się nie
            jest są był była było to ten ta te jak po za przez przy dla pod nad jego jej ich""",
        "joiner": "i oraz lub albo",
        "greeting": "Dzień Cześć Drogi Droga Szanowny Szanowna Szanowni Witaj Witam",
        "sign_off": "Pozdrawiam Z Serdecznie Dziękuję",
    },
    "ru": {
        "title": """им ул пр пл пер просп св акад проф доц ген полк кап т н см ср напр д-р тов
            г-н г-жа""",
        "numbered": "стр с гл рис табл ст п № вып д",
        "final": "гг др д п руб коп",
        "abbreviation": """г в вв пр тыс млн млрд обл р-н мин сек ок род ум э н е т англ лат нем
            фр итал греч""",
        "starter": """А Без Более Большинство Был Была Были Было В Вместе Во Вот Все Всего Вскоре
            Вы Где Да Для До Его Ее Её Если Есть Еще Ещё За Здесь И Из Или Именно Их К Как Когда
            Кроме Кто Мы На Над Не Несмотря Но Новый О Об Однако Он Она Они Оно От По Под После
            Потом Поэтому При Про С Сам Сегодня Сейчас Со Согласно Среди Так Также Такие Такой Там
            Тем То Тогда Только У Уже Хотя Через Что Чтобы Эта Эти Это Этот Я""",
        "function": """в во на с со к ко по о об от до из за у и а но или да что как не ни для
            при под над без через между это его её их был была было были есть же бы ли""",
        "joiner": "и или да",
        "greeting": "Здравствуйте Привет Уважаемый Уважаемая Уважаемые Дорогой Дорогая Добрый",
        "sign_off": "С Спасибо Всего",
    },
    "xx": {},
}
LANGUAGES = ("en", *_OTHERS)  # of texts and models; "xx": any other
_ORDINALS = ("de", "pl")  # a number with its dot is "third"
# white space before these keeps them with what they close
_SPACED_CLOSERS = {
    "en": "”",
    "fr": "»”",
    "it": "»”",
    "ca": "»”",
    "es": "»”",
    "pt": "»”",
    "ru": "»",
    "pl": "»”",
}


def ranges(inside: str) -> list[tuple[int, int]]:
    """The code points of a class, as ranges with their last ones; inside: as between brackets."""
    points: list[tuple[str, bool]] = []  # and whether a range's dash
    for piece in re.findall(r"\\u.{4}|\\U.{8}|\\x..|\\.|.", inside, re.DOTALL):
        char = piece
        if len(piece) > 1:
            char = piece.encode().decode("unicode_escape") if piece[1] in "uUxtnrfv" else piece[1]
        points.append((char, piece == "-"))
    result = []
    i = 0
    while i < len(points):
        if i + 2 < len(points) and points[i + 1][1]:
            result.append((ord(points[i][0]), ord(points[i + 2][0])))
            i += 3
        else:
            result.append((ord(points[i][0]), ord(points[i][0])))
            i += 1
    return result


class Rules(TypedDict):
    """What text.hpp is built from; JSON can hold it."""

    classes: dict[str, list[tuple[int, int]]]  # ranges of code points, with their last ones
    words: dict[str, list[str]]  # by kind
    entities: dict[str, int]  # HTML's names: code points; "#128" to "#159" as Windows means them
    ordinals: bool  # whether a number with its dot is one


def rules_of(language: str) -> Rules:
    """The rules of one of LANGUAGES."""
    classes = {name: ranges(inside) for name, inside in CLASSES.items()}
    classes["spaced_closer"] = ranges(_SPACED_CLOSERS.get(language, ""))
    word, begin = [], 0
    for first, last in sorted(pair for name in _NO_WORD for pair in classes[name]):
        if begin < first:
            word.append((begin, first - 1))
        begin = max(begin, last + 1)
    classes["word"] = [*word, (begin, sys.maxunicode)]
    return {
        "classes": classes,
        "words": words_of(language),
        "entities": _entities(),
        "ordinals": language in _ORDINALS,
    }


def words_of(language: str) -> dict[str, list[str]]:
    """The words of each kind in this language."""
    own = _ENGLISH if language == "en" else _OTHERS[language]
    lists: dict[str, list[str]] = {}
    for kinds in (_SHARED, own):
        for kind, text in kinds.items():
            lists.setdefault(kind, []).extend(text.split())
    if "street" in lists:
        lists["title"] = [word for word in lists["title"] if word not in lists["street"]]
    return lists


def _entities() -> dict[str, int]:
    from html.entities import name2codepoint

    windows = {
        f"#{point}": ord(bytes([point]).decode("cp1252"))
        for point in range(128, 160)
        if point not in (129, 141, 143, 144, 157)
    }
    return name2codepoint | {"apos": 39} | windows
