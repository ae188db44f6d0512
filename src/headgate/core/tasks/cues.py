"""The words that speak for a task, in English, German, French and Spanish: a table to read and to add to.

Every cue is a named list of words. A word ending in `*` matches any word that begins with it ("translat*": translate,
translation, translated); several words in a row match in that order. Case and accents do not matter, and apostrophes
and hyphens separate words ("dis-moi" is "dis moi"). What a cue is worth for each task stands in `weights`, not here.
This module knows words only: no grammar, and no language but the four.
"""

VERBS: dict[str, str] = {
    "translate": "translat*, back translate, localis*, localiz*, ubersetz*, ubertrag*, lokalisier*, eindeutschen, traduc*, "
    "traduz*, traduir*, traduis*, traduit*, traduct*, transpose*, wie sagt man, wie heisst, how do you say, how would i say, "
    "how would you say, how do i say, comment dit on, comment dire, como se dice, como se diria, como digo, como dirias, "
    "was heisst, on dit comment, what is she writing, what does she say, what does he say, what are they saying, "
    "was schreibt er, was schreibt sie, que dit il, que dit elle, que dice, como quedaria, interpret",
    "write": "write, writes, writing, draft*, compose*, pen, craft*, word, phrase, schreib*, verfass*, entwirf, entwerf*, "
    "formulier*, dichte, redig*, ecri, ecris, ecrire, ecrivez, ecrivons, escrib*, redact*, come up with, "
    "put together, think up, invent, denk dir, uberleg dir, inventa, imagine, invente, trouve moi, propose, proponme, "
    "propon, suggest*, schlag, vorschlag*, brainstorm*, pitch me, ghostwrite",
    "reply": "reply, answer her, answer him, answer them, answer this, answer the customer, respond, antworte*, "
    "beantworte*, antwort an, reponds*, repond*, repondre, responde*, contesta*, write back, tell him, tell her, tell them, "
    "decline, apologise, apologize, say no, absagen, absage, refuse poliment, nice reply, polite no",
    "create": "create, creates, generate, generates, produce, make me, make a, prepare, design, erstell*, generier*, "
    "erzeug*, entwickl*, mach mir, mach aus, gestalte, cree, creer, creez, genere*, prepare*, fais moi un, fais moi une, "
    "fabrique, crea, crear, genera, generar, prepara*, hazme, haz un, haz una, disen*, elabora*, build, baue, bau mir, "
    "construi*, develop, turn",
    "rewrite": "rewrite*, rephras*, reword*, proofread*, polish*, improve*, copyedit*, edit, edita, spice up, jazz up, tone down, "
    "liven up, clean up the text, umschreib*, schreib das um, umformulier*, formulier das, formuliere das, korrigier*, "
    "korrektur*, verbesser*, uberarbeit*, gegenlesen, lektorier*, reecri*, reformul*, corrige*, corrig*, relis, relire, "
    "ameliore*, peaufin*, reescrib*, mejora*, retoca*, revisa, pule, suaviza*, adouci*, repasa, rework, redo, fix the grammar, "
    "fix the spelling, make it sound, make this sound, turn my, feedback on",
    "summarise": "summar*, summari*, recap*, condens*, digest*, abstract, gist, essence, tldr, tl dr, boil down, sum up, "
    "shorten, squeeze, trim, compress, cut to, cut down, cut it to, zusammenfass*, fass, fasse, zusammengefasst, half as long, half the length, auf die halfte, a la moitie, a la mitad, cut this down, cut it down, "
    "kurzfassung, kurz gesagt, verdicht*, eindampf*, runterkurz*, kurz den, kurz das, kurze den, kurze das, kurze auf, kurzer, "
    "resum*, synthe*, synthet*, condense*, raccourci*, abreg*, sintes*, sintetiz*, sintet*, acorta*, "
    "condensa*, recapitul*, extracto, version courte, short version, in brief, in short, in a nutshell, en bref, en gros, en deux mots, "
    "en corto, en breve, version corta, kurz und knapp, overview, uberblick, catch me up, bring me up to speed, worum gehts, "
    "worum geht, um was geht, main message, worum es geht, was steht drin, de quoi ca parle, de quoi s agit, de que va, de que trata, what is this about, "
    "what s this about, long story short, nutshell, auf den punkt, quintessenz, debrief, handover, ubergabe",
    "get": "get, pull, collect, gather, capture, read, list, listen, find, show, nenne, zieh, ziehe, hol, sammle, suche, lies, liste, notier*, tire, sors, trouve, note, liste*, saca, lee, copia, anota, busca, dame, return, fill, tell, devuelve, renvoie, convert, turn, mach, fais, haz, split, take, put, set, add, make, check, help",
    "extract": "extract*, extrah*, extrai*, extrae*, extraer, pull out, pull all, pull the, pull, lift out, pick out, get the, get all, "
    "list, find all, find every, read out, read off, copy out, fill in, fill out, parse, list all, list every, list the, "
    "list each, capture, note down, herauszieh*, heraus, raus, rauszieh*, zieh, ziehe, rausschreib*, herausschreib*, "
    "auslesen, auslies*, herauslesen, auflisten, entnimm, entnehm*, ausfull*, such alle, nenne alle, relev*, recuper*, "
    "repere*, sors moi, sors, ressors, recopi*, remplis, liste*, note les, donne moi les, sacame, extraigas, recop*, "
    "copia*, rellena*, anota, enumera*, localiza, dame los, dame las, identify all, scrape, mentioned, erwahnt, erwahnte, genannt, vorkommen, cites, cite, mentionne*, mencionad*, aparecen, apparaissent, word for word, transcribe",
    "give": "give me, gib mir, gib, donne moi, donne, dame, deme, show me, send me, zeig mir, nenn mir, nenne, list, return, output, "
    "dis moi, dime, tell me, sag mir, i need, i want, ich brauche, necesito, il me faut, j ai besoin, quiero, ich will, get me",
    "classify": "classif*, categor*, kategor*, klassifiz*, klassier*, einordn*, ordne, zuordn*, zuzuordn*, einsort*, sort, sortier*, tag, "
    "label, bucket, triage, group, cluster, gruppier*, assign, route, queue, flag, mark, file under, belongs, "
    "belong, fall under, falls under, goes to, classe, classer, classez, trie, trier, triez, range, ranger, regroup*, etiquet*, "
    "attribue*, relev de, relevent de, clasific*, categoriz*, agrup*, asigna*, marca, separa, einstuf*, stuf, stufe, "
    "eingruppier*, pick one, pick exactly, choose one, choose from, choose exactly, welche kategorie, wohin, "
    "decide whether, decide if, decide for each, entscheide, entscheid, decide si, qualifie*, put this into, "
    "put it into, put each, teile, teil, stecke, verdict, sort these, true or false, yes or no, ja oder nein, oui ou non, si o no, y n, yes no, ja nein, first or second, zuteil*, wahle, choisis*, choisir, elige, elegir, pick, choose, select one, indica si, dis moi si, dime si, sag mir ob, tell me whether, tell me if, is the following, is this a, is it a, handelt es sich, ist das ein, ist das eine, est ce un, est ce une, es este, es una queja, gehort in, gehort zu, corresponde, pertenece, a quien le toca, detect the language, "
    "which of these, which label, which category, which queue, which team, which department, which bucket, which type, what type, "
    "what kind of, what category",
    "calculate": "calculat*, estimat*, berechn*, rechne*, ausrechn*, uberschlag*, schatz*, calcul*, estim*, "
    "how much is left, break even, add up, work out, divide, multiply, compute how, compute the total, compute the cost, rechne aus, wie viel prozent, aufteil*, verteil*, repart*, reparti*, split, allocate, "
    "project the, forecast*, hochrechn*, prognos*, extrapol*, simul*",
    "weigh": "compar*, vergleich*, weigh*, abwag*, wage, evaluate*, assess*, analys*, analyz*, analiz*, recommend*, empfehl*, empfiehl*, recommand*, "
    "recomend*, recomiend*, argument*, begrund*, justif*, prioritis*, prioritiz*, priorisier*, rank*, reason*, razon*, raisonn*, "
    "conclu*, critical*, critiqu*, kritisch*, diagnos*, optimi*, sopes*, valora*, evalu*, tranche, hesit*, hesite*, dudamos, "
    "deduce*, prove, infer, ranking, hierarchis*, plausib*, critic*, contraste*, beurteil*, durchdenk*, think through, walk me through, "
    "step by step, schritt fur schritt, etape par etape, paso a paso, root cause, pros and cons, pro und contra, pros y contras, "
    "pour et contre, le pour et le contre, trade off, trade offs, tradeoff*, vor und nachteile, ventajas e, avantages et, what would you do, "
    "wie wurdest du, que harias, tu ferais quoi, risks of, risiken, hypothes*, hypothe*, what could be, possible reasons, mogliche grunde, raisons possibles, posibles causas, think it through, decide between",
    "plan": "plan, schedule, roadmap, timetable, zeitplan, planung, plane, planen, calendrier, planning, planifi*, organise, "
    "organiz*, cronograma, calendario, planific*, ablauf, ablaufplan, strategy, strategie, estrategia, sequence, wochenplan, schichtplan, "
    "rota, itinerary, dienstplan",
    "fix": "fix, debug, refactor*, implement*, compile, deploy*, repair, behebe, beheb*, reparier*, refaktor*, implementier*, "
    "debugge*, corrige le bug, refactoris*, implemente*, depur*, arregl*, optimise this, optimize this, speed up, "
    "simplify, port, migrate, rename, programmier*, find the bug, find bugs, review my, unit tests, add tests, "
    "add unit, doesn t work, does not work, funktioniert nicht, klappt nicht, marche pas, marche plus, no funciona, fails, crashes, "
    "sturzt, plante, falla, not working, broken",
    "explain": "explain*, erklar*, expliqu*, explic*, erlauter*, what is happening, what does this do, what does it do, was macht, "
    "que fait, que hace, what happens, was passiert, was tut, walk through, how does this",
    "embed": "embed*, einbett*, vector*, vektor*, vecteur*, vectoris*, vectoriz*, incrust*, semantic search, "
    "semantische suche, recherche semantique, busqueda semantica, semantischen suche, semantischen index, indice semantico, index semantique, index vectoriel, semantique, semantisch*, semantic*, vector index, vector store, index this, indexe*, "
    "indexiere*, indexa*, for retrieval, for retrieving, plongement*, encode this, encode the, represent this, represent the, rag index, knowledge base index",
    "congratulate": "congratulat*, talk to me, talk with me, let s talk, let s just talk, chat with me, chat a bit, guess what, guess who, cheer me up, "
    "tell me a joke, tell me something, erzahl mir was, erzahl mir etwas, raconte moi, cuentame, bored, gelangweilt, "
    "keep me company, wish me luck, plaudern, quatschen, bavarder, charlar, druck mir die daumen, rate mal, muntere mich, entertain me, say something nice",
}
"""Words of asking. At the head of a clause ("Summarize …", "please summarize …") they fire as a second cue, "… first"."""

NOUNS: dict[str, str] = {
    "loose product": "name, names, text, texts, texte, texto*, note, card, page, section, title, titel, quote, word, mot, macro, script, copy, paragraph, absatz, paragraphe, parrafo, nom, noms, namen, nombre*, carte, titre*, objet*, question, questions, fragen, preguntas, spot, vorlage, template, entry, kampagne, campaign, kampagnen*, anuncio*, version, sentence, satz",
    "text product": "post, posts, headline*, slogan*, tagline*, claim, claims, newsletter*, blog*, caption*, ad, ads, "
    "advert*, press release, bio, toast, speech, letter, mail, mails, email*, e mail, message, answer, reply, replies, invitation, "
    "description*, landing page, release notes, flyer, brochure, story, poem, intro, teaser, proposal, canned response, "
    "faq, alt text, alt texts, article, subject line, subject lines, subject lines, cover letter, job ad, "
    "testimonial, idea*, playlist, thank you note, obituary, outline, briefing, "
    "brief, welcome, apology, greeting, gruss, gruesse, grusse, geburtstagsgruss, absage, einladungstext, aushang, plakat, poster, limerick, radio spot, spot, jingle, remerciement, cartel, postal, podcast, interview questions, mailing, rundmail, reminder, mahnung, erinnerung, relance, recordatorio, felicitation*, faire part, eulogy, bedienungsanleitung, chapter, kolumne, column for, editorial, vorwort, tweet*, hashtag*, pun, metaphor*, "
    "beitrag, beitrage, uberschrift*, betreff*, antwort*, anschreiben, einladung*, rede, stellenanzeige, pressemitteilung, "
    "werbetext, gedicht, ideen, spruch, spruche, claim, anzeige, anzeigen, gluckwunsch*, grusskarte, "
    "produktbeschreibung*, bildunterschrift*, artikel, nachricht, abwesenheit*, "
    "accroche*, courriel*, lettre, discours, articles, annonce*, communique, idees, legende*, invitation*, "
    "reponse*, messages, publication*, fiche produit, voeux, baseline, "
    "asunto*, titular*, eslogan*, eslogane*, lema, lemas, carta, correo*, respuesta*, discurso, anuncio*, nota de prensa, "
    "articulo*, invitacion*, guion, mensaje*, publicacion*, descripcion*, felicitacion, palabras, frase, "
    "boletin*, saludo",
    "copy product": "headline*, slogan*, tagline*, caption*, press release, toast, speech, subject line, subject lines, job ad, alt text, alt texts, poem, "
    "hook*, elevator pitch, storyboard, post, posts, landing page, canned response, out of office, product description, product descriptions, "
    "claim, claims, werbetext*, stellenanzeige*, pressemitteilung*, gedicht, rede, betreffzeile*, betreff, spruch, instagram, linkedin, "
    "facebook, tiktok, accroche*, discours, annonce, communique, baseline, legende*, asuntos, asunto, titulares, titular, eslogan*, lema, "
    "discurso, nota de prensa, bio, moodboard, creative brief, name ideas, namensidee*, names for, namen fur, noms pour, nombres para, ideas for, ideen fur, idees "
    "pour, ideas para, call to action, cta, teaser, jingle, testimonial, obituary, cover letter, emojis, no emojis, hashtags, no hashtags, "
    "wedding, birthday card, geburtstagskarte, limerick, haiku, rhyme, blog post, blogartikel, blogbeitrag, article de blog, newsletter text",
    "style": "friendl*, softer, warmer, formal, informal, polite*, punch*, catchy, kindly, kinder, less pompous, pompous, voice of, "
    "in the voice, funny, funnier, witty, humorous, casual, confident, honest, dry, playful, jargon, plain english, plain language, "
    "freundlich*, locker*, hoflich*, formell*, sachlich*, lustig*, witzig*, herzlich*, knackig*, frech*, einfache sprache, "
    "chaleureu*, poli, polie, drole, decontracte, percutant*, pompeux, amable*, cercano, cursi, divertid*, gracios*, formal, "
    "natural, more human, humaner, menos formal, mas corto y, plus court et, shorter and, audience, target group, zielgruppe, klingt, sounds, sound, "
    "suena, sonne, typos, grammar, spelling, rechtschreibung, tippfehler, orthographe, fautes, ortografia, professional*, elegant*, cliche*, buzzword*",
    "length": "word, words, sentence*, bullet*, bullet point, bullet points, line, lines, paragraphs, satz, satze, satzen, stichpunkt*, stichwort*, "
    "zeile*, phrases, phrase, ligne*, points, mots, frases, linea*, lineas, palabras, puntos, takeaway*, key points, key takeaways, main points, "
    "headlines, spiegelstrich*, vinetas, tirets, worte, worten, wortern, chars, characters, zeichen, caracteres, seconds, max",
    "gist": "main points, key takeaway, key takeaways, takeaway*, key points, key message, key findings, highlights, most important, wichtigste*, "
    "das wesentliche, kernaussage*, kernpunkt*, kernbotschaft*, hauptpunkt*, hauptaussage*, points cles, points principaux, l essentiel, essentiel, "
    "grandes lignes, idees principales, puntos clave, puntos principales, ideas principales, lo importante, lo esencial, "
    "lo mas importante, conclusiones, executive summary, management summary, what happened, what was decided, what did we decide, "
    "was wurde beschlossen, beschlusse, decisions, decisiones, what do i have to do, what do i need to do, what do they want, what does he want, "
    "what does she want, was will er, was will sie, was muss ich, was soll ich, que dois je faire, que tengo que hacer, que quiere, que veut, was will der, "
    "action items, next steps, todos, to dos, open points, offene punkte, bottom line, minutes, protokoll, in plain terms, what changed, "
    "upshot, short digest, lange mail, long mail, too long, zu lang, trop long, demasiado largo, ten seconds, who wants what, was ist passiert, que s est il passe, "
    "que ha pasado, que paso, to read it, gehts, wrap up",
    "data field": "name, names, first name, last name, date, dates, amount*, phone*, number, numbers, address, addresses, iban*, bic, sku*, url, urls, "
    "price, prices, owner, due, deadline*, version, versions, serial, quantity, quantities, company, companies, role, title, "
    "vat id, contact, contacts, email*, emails, e mail, id, ids, invoice number, order number, customer number, size, sizes, hours, "
    "people, places, person, persons, product, products, total, currency, "
    "namen, datum, daten, betrag, betrage, telefon*, nummer*, adresse*, anschrift, rechnungsnummer*, bestellnummer*, kundennummer*, "
    "frist, fristen, preis, preise, termin, termine, menge*, firma, firmen, kontakt*, ansprechpartner, personen, uhrzeit*, orte, hausnummer, postleitzahl, "
    "noms, nom, montant*, telephone*, numero*, adresses, prix, delai*, coordonnees, quantite*, entreprise, lieu, heure*, personnes, "
    "nombre, nombres, fecha*, importe*, telefono*, direccion*, precio*, plazo*, cantidad*, empresa, lugar, hora, personas, responsable, "
    "verantwortlich*, faellig, links, domain*, codes, dimensions, measures, masse, medidas, materials, skills, ports, versionsnummer*, werte, values, valeurs, valores",
    "record": "fields, field, columns, column, key value, schema, object, objects, array, json, csv, tab separated, comma separated, table, "
    "felder, spalten, spalte, tabelle, liste, list, objekt, champs, colonnes, tableau, objet json, campos, columnas, tabla, lista, null, "
    "not stated, key, keys, verbatim, wortlich, literalmente, textuellement, mot pour mot, spreadsheet, yaml",
    "only": "only, just, nothing else, no prose, nur, sonst nix, sonst nichts, ausschliesslich, seulement, uniquement, juste, rien d autre, "
    "solo, solamente, nada mas, unicamente, all the, every, each, alle, tous les, toutes les, todos los, todas las",
    "class word": "category, categories, department, team, queue, priority, priorit*, urgency, urgent, dringend*, spam, label*, labels, tags, class, "
    "complaint type, type, topic, theme*, intent*, funnel, stage, stages, kategorie*, abteilung, prioritat, dringlichkeit, thema, themen, "
    "gruppe*, schublade, service, file, pile*, piles, categorie*, departement, priorite, urgence, theme, etiquette*, categoria*, "
    "departamento, prioridad, urgencia, tema, temas, cola, tipo, clickbait, churn*, risk, on brand, off brand, genuine, relevant, "
    "allowed, bug, feature, complaint, praise, question, reclamation, queja, beschwerde*, beschwerde, anfrage, consulta, phishing, scam, hot, cold, lead, "
    "zustandig, ressort, cluster, one word, answer with one, label only, type only, nur das label, nur die kategorie, level, stufe, persona, segment*, "
    "cost centre, genre, seniority, on brand, violation, standort, mailbox, bucket, must have, nice to have, support level, werbung, level support, warranty, goodwill, garantie, kulanz, human or, refund or, genres, fits best, fits, best fit, which product, b2b, b2c, human, bot, wichtig, hoch, mittel, niedrig, low, medium, high, haute, moyenne, basse, alta, media, baja, normal, what language, which language, quelle langue, que idioma, en que idioma, sprache ist, dans quelle langue",
    "feeling": "sentiment*, mood, emotion*, feeling*, feel, feels, angry, anger, upset, happy, unhappy, satisf*, dissatisf*, frustrat*, annoyed, "
    "sarcas*, iron*, polarity, attitude, vibe*, bitter, grateful, excited, excitement, hostile, warm, cool, optimistic, pessimistic, polarit*, "
    "furious, enthusias*, disappoint*, joy, sad*, tone, tonality, stimmung*, tonalitat, gefuhl*, emotional*, wutend, sauer, verargert, arger, zufrieden*, "
    "unzufrieden*, sarkas*, laune, frustriert, begeister*, enttausch*, genervt, ton, humeur, colere, content, contente, contents, mecontent*, fache*, "
    "ironi*, agace*, enerve*, decu*, ravi*, tono, animo, humor, sentimiento*, enfad*, contento, contenta, contentos, molest*, emocion*, satisfech*, "
    "insatisf*, decepcion*, cabread*, tonalite, ressenti, ambiance, mad, pissed, delighted, passive aggressive, aggressive, between the lines, "
    "zwischen den zeilen, entre les lignes, entre lineas, how did people, how do people, meant seriously, ernst gemeint, how do they, nett gemeint",
    "polarity": "positive, negative, neutral, pos, neg, neu, positiv, negativ, positif, negatif, neutre, positives, negatives, "
    "positivo, negativo, neutro, positiva, negativa, mixed, gemischt, mitige, positive negative, positiv negativ, good or bad, bueno o malo, gut oder schlecht, "
    "thumbs, smiley, frowny, for or against, rather positive, eher positiv, plutot positif",
    "scale": "scale, skala, echelle, escala, out of 10, out of ten, from 0 to, from 1 to, von 1 bis, von 0 bis, de 1 a, de 0 a, score, scores, "
    "percent, stars, sterne, etoiles, estrellas, rate, bewerte, note de, punkte, puntua*, puntos, thermometer, degree, how angry, wie wutend",
    "code word": "sql, python, regex, regexp, regular expression, bash, shell, javascript, js, typescript, ts, rust, golang, java, kotlin, swift, php, "
    "css, html, http, https, c, react, c sharp, async, await, caching, lru cache, dropdown, flex container, div, pythonic, type hints, docstring*, one liner, container, compile, redirect, regexes, virtualenv, vue, svelte, angular, node, django, flask, fastapi, laravel, rails, docker*, kubernetes, k8s, terraform, ansible, git, github, "
    "gitlab, endpoint*, function, functions, unit test, unit tests, pytest, jest, bug, stack trace, traceback, exception, cron*, yaml, "
    "formula, excel, sheets, looker, nginx, apache, htaccess, robots txt, postgres*, mysql, sqlite, redis, npm, pip, vite, webpack, "
    "workflow, pipeline, snippet, command, cli, vba, webhook, cors, oauth, "
    "makefile, dockerfile, codebase, pre commit, pull request diff, repository, ssh, linux, curl, kubectl, systemd, jquery, tailwind, flexbox, wordpress, liquid, jinja, graphql, rest, "
    "selector, viewport, media query, undefined, typeerror, keyerror, segfault, merge conflict, rebase, branch, "
    "funktion, skript, befehl*, abfrage, formel*, fehlermeldung, klasse, schleife, shellskript, quelltext, quellcode, "
    "fonction, requete, formule, commande linux, commande pour, classe python, boucle, expression reguliere, "
    "funcion, formula, comando, consulta sql, expresion regular, bucle, pandas, numpy, dataframe, api, "
    "error message, fatal, calculated field, google sheets, app script, apps script, zapier, mermaid, latex, dockerfile, s3, aws, lambda, azure, gcp, "
    "repo, config, configuration, konfiguration, thread, deadlock",
    "code hint": "code, codes, query, queries, script, scripts, class, classes, method, loop, error, errors, fehler, erreur, codigo, index, join, select, commit, commits, hook, component, null, csv, function, log, logs, server, table, column, cell, cells, field, page, site, website, build, test, tests, file, files, folder, ordner, dossier, fichiers, archivos, ficheros, variable, field, button, plugin, cache, tool, port, browser, iphone, safari, chrome, wordpress, database, datenbank, zeile, zelle, spalte, colonne, columna, celda, cellules, output, input, return, print, diff, line, lines, expression, ausdruck, falsch, wrong, condition, bedingung, boucle, schleife",
    "the source": "this text, this mail, this email, this message, this article, this ticket, this thread, this paragraph, this review, this comment, "
    "the following, below, following, above, attached, diese mail, diesen text, dieser text, diese nachricht, dieses ticket, "
    "folgende*, unten, untenstehend*, dieser mail, ce texte, ce mail, ce message, cet article, ce courriel, "
    "ci dessous, suivant*, este texto, este correo, este mensaje, siguiente*, abajo, adjunto, texto de abajo",
    "according to": "according to, based on, per the, as per, laut, gemass, nach den, selon, d apres, segun, de acuerdo con, in the policy, "
    "in the handbook, in the contract, in the docs, im handbuch, im vertrag, dans le contrat, en el contrato, going by",
    "definition": "mean, means, meaning, stand for, stands for, define, definition, difference, differences, differ, bedeutet, bedeuten, bedeutung, "
    "heisst, unterschied*, abkurzung, signifie, veut dire, difference entre, definition de, significa, diferencia*, que es un, que es una, "
    "what is a, what is an, what are, what s a, was ist ein, was ist eine, was sind, c est quoi, qu est ce qu, qu est ce que, capital of, invented, "
    "erfunden, invente le, invento, inventado, founded, gegrundet, fonde, fundo, default, standard, called, name for, term for, begriff",
    "a place": "germany, austria, switzerland, france, spain, italy, uk, us, usa, eu, europe, berlin, portugal, australia, canada, japan, slovenia, norway, deutschland, osterreich, schweiz, frankreich, spanien, italien, europa, allemagne, autriche, suisse, espagne, italie, europe, alemania, austria, suiza, francia, espana, italia, australie, london, paris, wien, lisbon, kanada, norwegen, poland, polen, pologne, polonia, netherlands, belgium, belgien, belgique, belgica, mexico, mexiko, america, american, world, welt, monde, mundo, earth, ocean, country, land, pays, pais, city, stadt, ville, ciudad",
    "a known name": "google, instagram, facebook, youtube, tiktok, linkedin, twitter, whatsapp, amazon, apple, microsoft, dhl, ups, gmail, outlook, pinterest, spotify, wikipedia, einstein, picasso, goethe, shakespeare, mozart, canva, figma, photoshop, indesign, slack, zoom, pantone, helvetica, gmbh, ltd, sarl, sl, pdf, jpg, jpeg, png, svg, webp, gif, mp4, cmyk, rgb, seo, sem, roi, kpi, ctr, cpc, cpm, roas, crm, utm, ssl, dns, favicon, qr, isbn, iban number",
    "lookup": "timezone, zeitzone, introduced, released, published, wrote, written by, discovered, inventor, founder, ceo, president, abbreviation, stand, steht, sigle, siglas, acronym, how does, how do, wie funktioniert, comment fonctionne, como funciona, similarity, rate limit, in force, what s the name, wie nennt man, wie heisst das, how do you call, comment s appelle, como se llama, is called, nennt man, defined, word for, year, jahr, annee, ano, capital, hauptstadt, capitale, largest, highest, population, einwohner*, habitants, habitantes, "
    "public holiday, feiertag*, jour ferie, festivo, legal, allowed, erlaubt, permis, permitido, mandatory, pflicht, obligatoire, obligatorio, "
    "valid, gultig, valide, valido, law, gesetz, loi, ley, vat, mehrwertsteuer*, mwst, tva, iva, gdpr, dsgvo, rgpd, since when, seit wann, depuis quand, desde cuando, "
    "until when, bis wann, jusqu a quand, hasta cuando, how tall, how far, how old, wie alt, maximum, minimum, max file, opening hours, offnungszeiten, horaires, horario, stand for, standard size, default port, supported, usual, format, formats, resolution, "
    "deadline for, notice period, kundigungsfrist, rate, satz",
    "cost": "cost, costs, budget, price, margin, turnover, revenue, profit, hours, per month, a month, per year, a year, per week, a week, per day, "
    "kosten, umsatz, marge, gewinn, stunden, im monat, pro monat, pro jahr, pro woche, im jahr, cout, couts, chiffre, benefice, heures, par mois, par an, "
    "par jour, par semaine, coste, costes, presupuesto, beneficio, horas, al mes, al ano, por mes, por semana, por dia, euro, euros, eur, dollars, percent, prozent, "
    "pour cent, por ciento, days, tage, jours, dias, clients, people, per click, conversion, rows, per second, requests",
    "decision": "should we, should i, shall we, shall i, worth it, worth, is it worth, better, cheaper, which one, which option, which would, best option, pays off, pay off, "
    "makes sense, make sense, sollen wir, soll ich, sollten wir, sollte ich, lohnt*, besser, gunstiger, was ist besser, welche option, welches angebot, rentiert, vaut il, "
    "faut il, vaut mieux, devrait on, devrions nous, dois je, doit on, mieux, quelle option, ca vaut, rentable, merece la pena, vale la pena, conviene, deberiamos, deberia, "
    "mejor, sale mas, que opcion, compensa, enough, reicht*, suffit, alcanza, se llega, can we conclude, likelihood, probab*, wahrscheinlich*, realist*, how many more, oder lieber, or keep, help me decide, hilf mir, or rather, ou plutot, o mejor, spricht fur, spricht gegen, was spricht, what speaks, inconvenientes, inconvenients, nachteile, drawbacks, "
    "worst case, best case, what would happen, what if, was ware wenn, et si, que pasaria, who wins, robust, "
    "how would you",
    "deliberation": "option*, alternativ*, scenario*, szenario*, versus, offer, offers, angebot, angebote, offre, offres, oferta*, propuesta*, deal, decide, decision*, entscheid*, constraint*, assumption*, annahme*, causes, cause, ursache*, causa*, why did, warum hat, warum haben, pourquoi a, pourquoi avons, por que ha, "
    "risk*, risik*, riesgo*, risque*, criteria, kriterien, criteres, criterios, goal, goals, ziel, objectif, objetivo, although, though, obwohl, trotzdem, alors que, aunque, mientras, flaw, logical, logic*, doubled, dropped, fell, sinkt, sank, gesunken, steigt, gestiegen, baisse*, baja, sube, suben, grew, growth, conversion, effort, benefit, rent, buy, mieten, kaufen, leasen, louer, acheter, alquilar, comprar, hire, embaucher, einstellen, contratar, outsource",
    "aggregate": "total, sum, average, mean value, median, highest, lowest, most, least, cheapest, fastest, growth, difference between, more than, fewer than, less than, compared, ratio, share of, proportion, percent*, prozent*, pourcent*, porcentaje, insgesamt, durchschnitt*, summe, am meisten, hochste*, niedrigste*, gunstigste*, meiste*, anteil, moyenne, somme, plus eleve, le plus, le moins, media, suma, mayor, menor, el mas, la mas, diferencia entre, how many more, by how much, um wie viel, de combien, together, zusammen, overall, left over, remain*, altogether, per head, per employee, pro kopf, par personne, por persona, rate of, twice, double, doppelt, doble",
    "greeting": "hi, hello, hey, hallo, moin, servus, hola, bonjour, salut, coucou, bonsoir, good morning, good evening, good night, guten morgen, guten abend, "
    "gute nacht, buenos dias, buenas, buenas tardes, buenas noches, morning, howdy, yo, gruss gott, grussi, na, tach, coucou, bonne soiree, bonne journee, "
    "bon week end, bon weekend, schonen abend, schones wochenende, schonen feierabend, feierabend, have a nice, have a good, bye, tschuss, ciao, adios, hasta manana, a demain, bis morgen, "
    "see you, au revoir, tschau, merry christmas, happy new year, frohe weihnachten, joyeux noel, feliz navidad, happy birthday, que tal, wie geht s, wie gehts, wie geht es, "
    "how are you, how s it going, ca va, comment vas tu, como estas, como va, what s up, good day, easter",
    "thanks": "thanks, thank you, thx, cheers, ty, all good, not asking, saved my, danke, dankeschon, vielen dank, merci, gracias, mil gracias, muchas gracias, super helpful, you re the best, "
    "you rock, well done, good job, great job, gut gemacht, great work, perfect, perfekt, parfait, perfecto, awesome, nice one, genial, super, oki, alright, got it, "
    "never mind, nevermind, passt, alles klar, d accord, vale, de acuerdo, no worries, no problem, sorry, my bad, kein problem, pas de souci",
    "laugh or sigh": "lol, haha*, jeje*, jaja*, ha, hihi, mdr, ptdr, xd, uff, ugh, bof, ach, puh, menno, oh, wow, yay, oof, phew, hmm, hm, pff*, joder, buah, aargh, argh, omg, yeah, yep, nope, yup, jo, nee, tja, naja, hach, ohje, oje, mensch, mince, zut, ouf, youpi, hourra, madre mia, vaya, ay, hurra, juhu, hooray, woohoo, meh, damn, crap, mist, congrats, bravo, felicidades, gluckwunsch",
    "small talk": "tired, "
    "mude, fatigue, crevee, creve, cansad*, bored, weekend, wochenende, monday, montag, lundi, lunes, friday, freitag, vendredi, viernes, weather, wetter, rain, regen, sun, snow, coffee, kaffee, "
    "cafe, dream, dreamt, dreamed, traum, holiday, holidays, urlaub, vacances, vacaciones, birthday, geburtstag, anniversaire, cumple*, dog, cat, baby, marathon, dad, mum, "
    "lunch, mittag, boss, chef, jefe, colleague, kollege, kollegin, what a day, quelle journee, que dia, was fur ein tag, snowing, sunny, scared, excited, vent, secret, song, music, movie, film, pizza, beer, bier, joke, witz, hot today, cold today, sueno, magnifique, overwhelmed, stressed, gestresst, lonely, "
    "nervous, nervos, proud, stolz, hate, i love, love it, hungry, hunger, we won, we lost, finally, endlich, enfin, por fin, just wanted to say, wollte nur, je voulais juste, solo queria, no question, keine frage, slept, "
    "sleep, headache, gardening, luck, nothing works, thoughts, meinst",
    "the assistant": "you funny, you there, favorito, favorita, machst du, was machst, can you feel, can you keep, any preference, are you, do you, you are, you re, your favourite, your favorite, have you ever, can you feel, bist du, hast du, magst du, lieblings*, was denkst du, "
    "what do you think, who do you think, do you think, es tu, tu es, aimes tu, tu aimes, tu preferes, preferes tu, que penses tu, qu en penses tu, eres, tienes, te gusta, prefieres, que opinas, "
    "que piensas, would you rather, ton avis, deine meinung, favourite, favorite, prefere, hey bot, bot, robot, chatgpt, assistant, real person, human, your name, wie heisst du, comment t appelles, como te llamas, "
    "how s yours, and you, und du, et toi, et vous, y tu, y usted, toi, dir, findest du, glaubst du, kennst du, crees que, tu crois, what s your, how was your",
    "language of origin": "in turkish, in polish, in italian, in dutch, in portuguese, auf turkisch, auf polnisch, auf italienisch, en turc, en polonais, wrote in, written in, "
    "geschrieben auf, ecrit en, escrito en, foreign, fremdsprach*, original, untertitel, subtitles, sous titres, subtitulos, version, fassung, literally, wortwortlich, placeholder*, platzhalter, "
    "locale, i18n, translation*, traduccion*, traduction*, ubersetzung*, muttersprach*, native speaker, idiomatic, idiomatisch",
}
"""Words for what is wanted, or for what the ask is about."""

LANGUAGES = (
    "english german french spanish italian dutch portuguese polish turkish swedish danish norwegian finnish czech russian "
    "chinese japanese korean arabic greek hungarian romanian ukrainian catalan hebrew hindi croatian mandarin basque "
    "deutsch englisch franzosisch spanisch italienisch niederlandisch hollandisch portugiesisch polnisch turkisch schwedisch danisch "
    "norwegisch finnisch tschechisch russisch chinesisch japanisch koreanisch arabisch griechisch ungarisch rumanisch ukrainisch "
    "deutsche englische franzosische spanische italienische polnische turkische deutschen englischen franzosischen spanischen "
    "italienischen polnischen turkischen niederlandische niederlandischen schwedische schwedischen englischer deutscher "
    "anglais anglaise allemand allemande francais francaise espagnol espagnole italien italienne neerlandais neerlandaise portugais portugaise polonais "
    "polonaise turc turque suedois danois russe chinois japonais arabe grec hongrois roumain catalan "
    "ingles inglesa aleman alemana frances francesa espanol espanola castellano italiano italiana neerlandes holandes portugues portuguesa polaco turco "
    "sueco danes ruso chino japones arabe griego euskera gallego flemish brazilian swiss austrian british"
)
"""Names of languages, as nouns and as adjectives."""

INTO = "in into to auf ins en al vers zu from aus de du del pour para"
"""Small words that, right before the name of a language, mean a direction of translation."""

QUESTIONS: dict[str, str] = {
    "asks if": "if, wenn, falls, si, suppose, assuming, angenommen, supposons, en supposant, suponiendo, suponte, given that",
    "asks what": "what, whats, define, definiere, definis, was, que, quoi, qu, wat",
    "asks which": "which, welche, welcher, welches, welchen, welchem, quel, quelle, quels, quelles, cual, cuales, lequel, laquelle",
    "asks who or when": "who, whose, when, where, wer, wem, wann, wo, woher, wohin, qui, quand, ou est, quien, quienes, cuando, donde, adonde",
    "asks how much": "how many, how much, how long, how often, how high, how big, how large, how fast, wie viel, wie viele, wieviel, wieviele, wie lange, "
    "wie oft, wie hoch, wie gross, wie schnell, combien, cuanto, cuanta, cuantos, cuantas",
    "asks how": "how, wie, comment, como",
    "asks why": "why, warum, wieso, weshalb, pourquoi, por que, how come",
    "asks whether": "is, are, does, do, did, can, may, must, has, have, was there, ist, sind, darf, durfen, muss, mussen, kann, gibt, hat, haben, est ce, peut on, "
    "doit on, y a t il, est il, est elle, hay, es, son, puede, puedo, se puede, hace falta, tiene, gilt, will, would, braucht, brauchen, peut, faut, a t on, werden, wird",
}
"""Words that open a question. They count at the head of a clause only."""

POLITE = (
    "please pls plz bitte can could would you kannst konntest konnen sie du mir uns mal peux pourrais pouvez pourriez tu vous moi puedes podrias puede me nos "
    "now and then und dann et ensuite y luego also just so i d like to ich mochte hatte gern gerne je voudrais te quisiera querria stp svp s il por favor porfa "
    "hey hi hello hallo bonjour hola salut help quick one question quickly kurz schnell rapidement rapido ok okay let us your task is first next step "
    "jetzt maintenant ahora noch denn eigentlich bien well hm um ah"
)
"""Words skipped when looking for the head of a clause."""

POINTING = "this these that those diese dieser dieses diesen diesem folgende folgenden folgender ce cet cette ces este esta estos estas ese esa following below"
DEFINITE = "the der die das den dem le la les el los las l my our mein meine meinen unser unsere mon ma mes notre nos mi mis nuestro nuestra his her their"
"""Determiners: "this mail" is something pasted, "a mail" is something wanted."""

OURSELVES = "i we my our me us ich wir mein meine unser unsere mich je j nous notre mon ma mi nos nuestro nuestra yo estoy tengo"
YOU = "you your yours du dein deine dich tu ton ta te toi vous eres"
CONDITION = "if when wenn falls si cuando quand obwohl although unless"
PLAIN = "plain simple proper correct einfaches einfachem"
"""Before the name of a language these mean its style, not a translation: "in plain English"."""
COUNTS = (
    "one two three four five six ten few couple of ein einen einem zwei drei vier funf sechs zehn une un deux trois quatre cinq dix quelques "
    "una uno dos tres cuatro cinco diez max maximal maximum unas"
)
"""Before a word for pieces of text: how long the answer shall be."""
