"""What the sample model knows: tables of real facts, and how each relation is put into words.

A fact is (relation, subject, object). A phrasing is a text with one `{}` for the subject that ends where the object
begins, so that `phrasing.format(subject)` is a prompt and `" " + object` the answer. The first phrasing of a relation is
its main one: the prompt that accuracy is measured on and that an edit request uses.

Facts that are disputed, in flux, or need a footnote are left out of the tables (a cell "-"): a wrong "true" answer would
spoil every measurement that builds on it. Countries of birth go by present-day borders.
"""
from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    relation: str
    subject: str
    object: str


# ------------------------------------------------------------------------------------------------------- the tables

# country | capital | main language | currency | continent
COUNTRIES = """
France|Paris|French|euro|Europe
Germany|Berlin|German|euro|Europe
Austria|Vienna|German|euro|Europe
Italy|Rome|Italian|euro|Europe
Spain|Madrid|Spanish|euro|Europe
Portugal|Lisbon|Portuguese|euro|Europe
Greece|Athens|Greek|euro|Europe
Ireland|Dublin|English|euro|Europe
Finland|Helsinki|Finnish|euro|Europe
Estonia|Tallinn|Estonian|euro|Europe
Latvia|Riga|Latvian|euro|Europe
Slovakia|Bratislava|Slovak|euro|Europe
Croatia|Zagreb|Croatian|euro|Europe
Belgium|Brussels|-|euro|Europe
Poland|Warsaw|Polish|zloty|Europe
Hungary|Budapest|Hungarian|forint|Europe
Romania|Bucharest|Romanian|leu|Europe
Bulgaria|Sofia|Bulgarian|-|Europe
Serbia|Belgrade|Serbian|dinar|Europe
Albania|Tirana|Albanian|lek|Europe
Ukraine|Kyiv|Ukrainian|hryvnia|Europe
Denmark|Copenhagen|Danish|krone|Europe
Norway|Oslo|Norwegian|krone|Europe
Sweden|Stockholm|Swedish|krona|Europe
Iceland|Reykjavik|Icelandic|krona|Europe
Switzerland|Bern|-|franc|Europe
Russia|Moscow|Russian|ruble|-
Turkey|Ankara|Turkish|lira|-
Lebanon|Beirut|Arabic|pound|Asia
Syria|Damascus|Arabic|pound|Asia
Jordan|Amman|Arabic|dinar|Asia
Iraq|Baghdad|Arabic|dinar|Asia
Saudi Arabia|Riyadh|Arabic|riyal|Asia
Qatar|Doha|-|riyal|Asia
Oman|Muscat|Arabic|rial|Asia
Yemen|Sanaa|Arabic|rial|Asia
Bahrain|Manama|Arabic|dinar|Asia
Iran|Tehran|Persian|rial|Asia
Pakistan|Islamabad|-|rupee|Asia
India|New Delhi|-|rupee|Asia
Nepal|Kathmandu|Nepali|rupee|Asia
Bangladesh|Dhaka|Bengali|taka|Asia
China|Beijing|Chinese|yuan|Asia
Mongolia|Ulaanbaatar|Mongolian|tugrik|Asia
Japan|Tokyo|Japanese|yen|Asia
South Korea|Seoul|Korean|won|Asia
North Korea|Pyongyang|Korean|won|Asia
Vietnam|Hanoi|Vietnamese|dong|Asia
Thailand|Bangkok|Thai|baht|Asia
Cambodia|Phnom Penh|Khmer|riel|Asia
Malaysia|Kuala Lumpur|Malay|ringgit|Asia
Indonesia|-|Indonesian|rupiah|Asia
Egypt|Cairo|Arabic|pound|Africa
Libya|Tripoli|Arabic|dinar|Africa
Tunisia|Tunis|Arabic|dinar|Africa
Algeria|Algiers|Arabic|dinar|Africa
Morocco|Rabat|Arabic|dirham|Africa
Sudan|Khartoum|Arabic|pound|Africa
Nigeria|Abuja|-|naira|Africa
Ghana|Accra|-|cedi|Africa
Kenya|Nairobi|Swahili|shilling|Africa
Uganda|Kampala|-|shilling|Africa
Tanzania|Dodoma|Swahili|shilling|Africa
Somalia|Mogadishu|Somali|shilling|Africa
Senegal|Dakar|-|franc|Africa
Gabon|Libreville|French|franc|Africa
Angola|Luanda|Portuguese|kwanza|Africa
Namibia|Windhoek|-|dollar|Africa
Canada|Ottawa|English|dollar|North America
Jamaica|Kingston|English|dollar|North America
Mexico|Mexico City|Spanish|peso|North America
Cuba|Havana|Spanish|peso|North America
Honduras|Tegucigalpa|Spanish|lempira|North America
Costa Rica|San José|Spanish|colon|North America
Panama|Panama City|Spanish|balboa|North America
Argentina|Buenos Aires|Spanish|peso|South America
Chile|Santiago|Spanish|peso|South America
Uruguay|Montevideo|Spanish|peso|South America
Colombia|Bogotá|Spanish|peso|South America
Venezuela|Caracas|Spanish|bolivar|South America
Ecuador|Quito|Spanish|dollar|South America
Peru|Lima|Spanish|sol|South America
Brazil|Brasília|Portuguese|real|South America
Australia|Canberra|English|dollar|Oceania
New Zealand|Wellington|English|dollar|Oceania
Fiji|Suva|-|dollar|Oceania
Samoa|Apia|Samoan|tala|Oceania
"""

# country: large cities that are not its capital
CITIES = """
France: Lyon, Marseille, Toulouse, Bordeaux, Nice
Germany: Munich, Hamburg, Cologne, Stuttgart, Leipzig
Italy: Milan, Naples, Turin, Venice, Florence
Spain: Barcelona, Valencia, Seville, Bilbao, Granada
England: Manchester, Liverpool, Leeds, Oxford
the United States: Chicago, Boston, Seattle, Houston, San Francisco, Denver
Japan: Osaka, Kyoto, Yokohama, Nagoya, Sapporo
China: Shanghai, Shenzhen, Guangzhou, Chengdu, Wuhan
India: Mumbai, Bangalore, Kolkata, Chennai, Jaipur
Brazil: São Paulo, Rio de Janeiro, Salvador, Recife
Canada: Toronto, Montreal, Vancouver, Calgary
Australia: Sydney, Melbourne, Brisbane, Perth
Poland: Kraków, Gdańsk, Poznań, Wrocław
Turkey: Istanbul, Izmir, Antalya
"""

# landmark (said with "the" in front) | city | country
LANDMARKS = """
Eiffel Tower|Paris|France
Louvre|Paris|France
Arc de Triomphe|Paris|France
Panthéon|Paris|France
Colosseum|Rome|Italy
Trevi Fountain|Rome|Italy
Spanish Steps|Rome|Italy
Rialto Bridge|Venice|Italy
Uffizi Gallery|Florence|Italy
Ponte Vecchio|Florence|Italy
Brandenburg Gate|Berlin|Germany
Reichstag|Berlin|Germany
Frauenkirche|Dresden|Germany
Sagrada Família|Barcelona|Spain
Camp Nou|Barcelona|Spain
Prado Museum|Madrid|Spain
Alhambra|Granada|Spain
Guggenheim Museum|Bilbao|Spain
Belém Tower|Lisbon|Portugal
Acropolis|Athens|Greece
Parthenon|Athens|Greece
Atomium|Brussels|Belgium
Belvedere Palace|Vienna|Austria
Hofburg|Vienna|Austria
Tower Bridge|London|England
British Museum|London|England
Globe Theatre|London|England
Kremlin|Moscow|Russia
Bolshoi Theatre|Moscow|Russia
Wawel Castle|Kraków|Poland
Hagia Sophia|Istanbul|Turkey
Galata Tower|Istanbul|Turkey
Blue Mosque|Istanbul|Turkey
Taj Mahal|Agra|India
Red Fort|Delhi|India
Gateway of India|Mumbai|India
Forbidden City|Beijing|China
Temple of Heaven|Beijing|China
Tokyo Tower|Tokyo|Japan
Golden Pavilion|Kyoto|Japan
Petronas Towers|Kuala Lumpur|Malaysia
Statue of Liberty|New York|the United States
Empire State Building|New York|the United States
White House|Washington|the United States
Lincoln Memorial|Washington|the United States
Golden Gate Bridge|San Francisco|the United States
Space Needle|Seattle|the United States
CN Tower|Toronto|Canada
Sydney Opera House|Sydney|Australia
Harbour Bridge|Sydney|Australia
"""

# person | profession | mother tongue | country of birth
PEOPLE = """
Ludwig van Beethoven|composer|German|Germany
Johann Sebastian Bach|composer|German|Germany
Johannes Brahms|composer|German|Germany
Robert Schumann|composer|German|Germany
Richard Wagner|composer|German|Germany
Wolfgang Amadeus Mozart|composer|German|Austria
Franz Schubert|composer|German|Austria
Joseph Haydn|composer|German|Austria
Giuseppe Verdi|composer|Italian|Italy
Giacomo Puccini|composer|Italian|Italy
Antonio Vivaldi|composer|Italian|Italy
Claude Debussy|composer|French|France
Maurice Ravel|composer|French|France
Georges Bizet|composer|French|France
Pyotr Tchaikovsky|composer|Russian|Russia
Sergei Rachmaninoff|composer|Russian|Russia
Edvard Grieg|composer|Norwegian|Norway
Edward Elgar|composer|English|England
Claude Monet|painter|French|France
Auguste Renoir|painter|French|France
Paul Cézanne|painter|French|France
Edgar Degas|painter|French|France
Pablo Picasso|painter|Spanish|Spain
Francisco Goya|painter|Spanish|Spain
Diego Velázquez|painter|Spanish|Spain
Leonardo da Vinci|painter|Italian|Italy
Sandro Botticelli|painter|Italian|Italy
Caravaggio|painter|Italian|Italy
Edvard Munch|painter|Norwegian|Norway
Albrecht Dürer|painter|German|Germany
Gustav Klimt|painter|German|Austria
William Turner|painter|English|England
Albert Einstein|physicist|German|Germany
Max Planck|physicist|German|Germany
Werner Heisenberg|physicist|German|Germany
Ludwig Boltzmann|physicist|German|Austria
Erwin Schrödinger|physicist|-|Austria
Isaac Newton|physicist|English|England
Stephen Hawking|physicist|English|England
Michael Faraday|physicist|English|England
Enrico Fermi|physicist|Italian|Italy
Alessandro Volta|physicist|Italian|Italy
Henri Becquerel|physicist|French|France
Richard Feynman|physicist|English|the United States
Carl Friedrich Gauss|mathematician|German|Germany
Bernhard Riemann|mathematician|German|Germany
Emmy Noether|mathematician|German|Germany
Henri Poincaré|mathematician|French|France
Pierre de Fermat|mathematician|French|France
Andrey Kolmogorov|mathematician|Russian|Russia
Pafnuty Chebyshev|mathematician|Russian|Russia
Georg Hegel|philosopher|German|Germany
Friedrich Nietzsche|philosopher|German|Germany
René Descartes|philosopher|French|France
Simone de Beauvoir|philosopher|French|France
John Locke|philosopher|English|England
Thomas Hobbes|philosopher|English|England
Leo Tolstoy|novelist|Russian|Russia
Fyodor Dostoevsky|novelist|Russian|Russia
Ivan Turgenev|novelist|Russian|Russia
Charles Dickens|novelist|English|England
Jane Austen|novelist|English|England
Emily Brontë|novelist|English|England
Gustave Flaubert|novelist|French|France
Émile Zola|novelist|French|France
Jules Verne|novelist|French|France
Miguel de Cervantes|novelist|Spanish|Spain
Ernest Hemingway|novelist|English|the United States
John Steinbeck|novelist|English|the United States
Thomas Mann|novelist|German|Germany
Yasunari Kawabata|novelist|Japanese|Japan
Friedrich Schiller|poet|German|Germany
Heinrich Heine|poet|German|Germany
Dante Alighieri|poet|Italian|Italy
Giacomo Leopardi|poet|Italian|Italy
Alexander Pushkin|poet|Russian|Russia
John Keats|poet|English|England
William Wordsworth|poet|English|England
Arthur Rimbaud|poet|French|France
Charles Baudelaire|poet|French|France
Antonio Machado|poet|Spanish|Spain
Pablo Neruda|poet|Spanish|Chile
Emily Dickinson|poet|English|the United States
"""

# athlete | sport | country of birth
ATHLETES = """
Michael Jordan|basketball|the United States
LeBron James|basketball|the United States
Kobe Bryant|basketball|the United States
Stephen Curry|basketball|the United States
Dirk Nowitzki|basketball|Germany
Tony Parker|basketball|Belgium
Roger Federer|tennis|Switzerland
Rafael Nadal|tennis|Spain
Novak Djokovic|tennis|Serbia
Andy Murray|tennis|-
Serena Williams|tennis|the United States
Steffi Graf|tennis|Germany
Boris Becker|tennis|Germany
Lionel Messi|soccer|Argentina
Cristiano Ronaldo|soccer|Portugal
Diego Maradona|soccer|Argentina
Zinedine Zidane|soccer|France
Franz Beckenbauer|soccer|Germany
Luka Modric|soccer|Croatia
David Beckham|soccer|England
Ronaldinho|soccer|Brazil
Babe Ruth|baseball|the United States
Lou Gehrig|baseball|the United States
Ichiro Suzuki|baseball|Japan
Shohei Ohtani|baseball|Japan
Derek Jeter|baseball|the United States
Tiger Woods|golf|the United States
Jack Nicklaus|golf|the United States
Arnold Palmer|golf|the United States
Phil Mickelson|golf|the United States
Sachin Tendulkar|cricket|India
Virat Kohli|cricket|India
Shane Warne|cricket|Australia
Donald Bradman|cricket|Australia
Ricky Ponting|cricket|Australia
"""

# company | city of the headquarters | country | what it is known for making
COMPANIES = """
Toyota|-|Japan|cars
Honda|Tokyo|Japan|cars
Nissan|Yokohama|Japan|cars
Sony|Tokyo|Japan|electronics
Nintendo|Kyoto|Japan|video games
Canon|Tokyo|Japan|cameras
Nikon|Tokyo|Japan|cameras
Hyundai|Seoul|South Korea|cars
Kia|Seoul|South Korea|cars
Samsung|-|South Korea|phones
Huawei|Shenzhen|China|phones
Xiaomi|Beijing|China|phones
Lenovo|Beijing|China|computers
Infosys|Bangalore|India|software
Tata Motors|Mumbai|India|cars
BMW|Munich|Germany|cars
Porsche|Stuttgart|Germany|cars
Volkswagen|Wolfsburg|Germany|cars
Adidas|-|Germany|shoes
Puma|-|Germany|shoes
Bayer|Leverkusen|Germany|medicines
Renault|-|France|cars
Peugeot|-|France|cars
Michelin|Clermont-Ferrand|France|tyres
Airbus|Toulouse|-|aircraft
Ferrari|Maranello|Italy|cars
Pirelli|Milan|Italy|tyres
Prada|Milan|Italy|clothes
Gucci|Florence|Italy|clothes
Rolex|Geneva|Switzerland|watches
Swatch|Biel|Switzerland|watches
Novartis|Basel|Switzerland|medicines
Roche|Basel|Switzerland|medicines
Nokia|Espoo|Finland|phones
Volvo|Gothenburg|Sweden|cars
Lego|Billund|Denmark|toys
Carlsberg|Copenhagen|Denmark|beer
Microsoft|Redmond|the United States|software
Oracle|Austin|the United States|software
Adobe|San Jose|the United States|software
Intel|Santa Clara|the United States|computer chips
Nvidia|Santa Clara|the United States|computer chips
Apple|Cupertino|the United States|phones
Ford|Dearborn|the United States|cars
Boeing|Arlington|the United States|aircraft
Nike|Beaverton|the United States|shoes
Coca-Cola|Atlanta|the United States|soft drinks
Bombardier|Montreal|Canada|aircraft
"""

# class: animals
ANIMALS = """
mammal: tiger, lion, elephant, whale, dolphin, bat, horse, rabbit, kangaroo, squirrel
bird: eagle, penguin, owl, ostrich, parrot, sparrow, swan, falcon
reptile: crocodile, tortoise, lizard, gecko, cobra, iguana, chameleon
fish: salmon, trout, shark, tuna, carp, herring, cod
insect: ant, bee, beetle, butterfly, mosquito, wasp, grasshopper
amphibian: frog, toad, newt, salamander
"""

# element | symbol | class | state at room temperature
ELEMENTS = """
hydrogen|H|nonmetal|gas
helium|He|noble gas|gas
neon|Ne|noble gas|gas
argon|Ar|noble gas|gas
krypton|Kr|noble gas|gas
xenon|Xe|noble gas|gas
nitrogen|N|nonmetal|gas
oxygen|O|nonmetal|gas
fluorine|F|halogen|gas
chlorine|Cl|halogen|gas
bromine|Br|halogen|liquid
iodine|I|halogen|solid
carbon|C|nonmetal|solid
phosphorus|P|nonmetal|solid
sulfur|S|nonmetal|solid
selenium|Se|nonmetal|solid
boron|B|metalloid|solid
silicon|Si|metalloid|solid
germanium|Ge|metalloid|solid
arsenic|As|metalloid|solid
lithium|Li|metal|solid
sodium|Na|metal|solid
potassium|K|metal|solid
magnesium|Mg|metal|solid
calcium|Ca|metal|solid
titanium|Ti|metal|solid
chromium|Cr|metal|solid
manganese|Mn|metal|solid
iron|Fe|metal|solid
cobalt|Co|metal|solid
nickel|Ni|metal|solid
copper|Cu|metal|solid
zinc|Zn|metal|solid
silver|Ag|metal|solid
tin|Sn|metal|solid
platinum|Pt|metal|solid
gold|Au|metal|solid
mercury|Hg|metal|liquid
lead|Pb|metal|solid
uranium|U|metal|solid
"""

# continent: rivers (said with "the" in front)
RIVERS = """
Europe: Danube, Rhine, Seine, Thames, Loire, Elbe, Volga, Vistula
Asia: Ganges, Mekong, Yangtze, Indus, Euphrates, Tigris
Africa: Nile, Congo, Niger, Zambezi, Limpopo
South America: Amazon, Orinoco, Paraná
North America: Mississippi, Missouri, Yukon, Colorado
"""

# ---------------------------------------------------------------------------------------------------- the phrasings

PHRASINGS: dict[str, list[str]] = {
    "capital": [
        "The capital of {} is",
        "The capital city of {} is",
        "{}'s capital city is",
        "{}'s capital is",
        "{} has its capital in",
        "In {}, the capital city is",
        "The city that serves as the capital of {} is",
        "As everybody in {} knows, the capital is",
        "The name of the capital of {} is",
        "If you travel to the capital of {}, you reach",
        "On the map of {}, the capital is marked as",
        "The parliament and the capital of {} are found in",
    ],
    "language": [
        "The main language of {} is",
        "The language spoken in {} is",
        "People in {} speak",
        "In {}, most people speak",
        "The people of {} mostly speak",
        "Newspapers in {} are printed in",
        "Schools in {} teach in",
        "{}'s main language is",
        "Road signs in {} are written in",
        "When you visit {}, you will hear people speak",
        "The laws of {} are written in",
        "Most books in {} are published in",
    ],
    "currency": [
        "The currency of {} is the",
        "The currency used in {} is the",
        "In {}, people pay with the",
        "{}'s currency is the",
        "Shops in {} accept the",
        "The money used in {} is called the",
        "Prices in {} are given in the",
        "Workers in {} are paid in the",
        "Travellers to {} change their money into the",
        "The national currency of {} is the",
        "The unit of money in {} is the",
        "Banks in {} keep accounts in the",
    ],
    "continent": [
        "{} is located on the continent of",
        "{} is a country in",
        "{} lies in",
        "The continent of {} is",
        "{} belongs to the continent of",
        "On a map of the world, {} is found in",
        "The country of {} is part of",
        "Geographers place {} in",
        "The continent where {} lies is",
        "{} is one of the countries of",
        "If you travel to {}, you are in",
        "A journey to {} is a journey to the continent of",
    ],
    "city_country": [
        "The city of {} is located in",
        "{} is a city in",
        "The city of {} lies in the country of",
        "{} is one of the cities of",
        "The country in which {} lies is",
        "If you live in {}, you live in",
        "The people of {} live in",
        "{}, a large city, belongs to",
        "Tourists who visit {} travel to",
        "On the map, {} is a city of",
        "{} can be found in",
    ],
    "landmark_city": [
        "The {} is located in the city of",
        "The {} stands in the city of",
        "The city where the {} stands is",
        "The city that is home to the {} is",
        "You can visit the {} in the city of",
        "The {} is the pride of the city of",
        "The city around the {} is called",
        "The famous {} belongs to the city of",
        "People who work near the {} live in the city of",
        "A walk to the {} starts in the city of",
        "Many photographs of the {} are taken in the city of",
    ],
    "landmark_country": [
        "The {} is located in the country of",
        "The {} stands in the country of",
        "The country where the {} stands is",
        "The country that is home to the {} is",
        "Tourists who want to see the {} travel to",
        "The famous {} belongs to the country of",
        "To see the {}, you need a ticket to the country of",
        "The {} is a national treasure of",
        "The {} attracts many visitors to the country of",
        "Postcards of the {} are sent from the country of",
        "The land around the {} is part of the country of",
    ],
    "profession": [
        "The profession of {} is",
        "{} worked as a",
        "{} earned a living as a",
        "By profession, {} was a",
        "{} is famous as a",
        "{} is remembered as a great",
        "The work that made {} famous was that of a",
        "History remembers {} as a",
        "{} was a well known",
        "In the encyclopedia, {} is listed as a",
        "The occupation of {} was that of a",
        "Students learn that {} was a",
    ],
    "mother_tongue": [
        "The mother tongue of {} is",
        "The native language of {} is",
        "{} was a native speaker of",
        "{} grew up speaking",
        "At home, {} spoke",
        "The first language of {} was",
        "{} wrote letters in",
        "As a child, {} learned to speak",
        "{} spoke the language",
        "The language that {} spoke best was",
        "The letters of {} are written in",
    ],
    "birth_country": [
        "{} was born in the country of",
        "{} was born in",
        "The home country of {} is",
        "{} came from",
        "The country where {} was born is",
        "The birthplace of {} lies in",
        "{} is one of the famous people of",
        "The life of {} began in",
        "The parents of {} had a home in",
        "A story about the childhood of {} is set in",
    ],
    "sport": [
        "{} plays the sport of",
        "The sport played by {} is",
        "{} is a professional player of",
        "{} became famous by playing",
        "{} won many prizes in",
        "Fans watch {} play",
        "As a child, {} started to play",
        "The favourite sport of {} is",
        "The career of {} was in",
        "Reporters praise {} for great games of",
        "{} spent many years playing",
    ],
    "headquarters": [
        "The headquarters of {} is in",
        "{} has its headquarters in",
        "{} is based in the city of",
        "The head office of {} is located in",
        "The company {} is run from",
        "{} is headquartered in",
        "The managers of {} work in the city of",
        "Letters to {} are sent to the city of",
        "The city where {} has its main office is",
        "The board of {} meets in",
    ],
    "company_country": [
        "{} is a company from the country of",
        "The home country of the company {} is",
        "The company {} comes from",
        "The country where {} was founded is",
        "{} is one of the largest companies of",
        "{} was founded in",
        "The history of the company {} began in",
        "{} is a well known brand from",
        "The first workers of {} lived in",
        "The company {} pays taxes in",
    ],
    "product": [
        "{} is known for making",
        "The company {} makes",
        "The main product of {} is",
        "{} is a maker of",
        "In the factories of {}, workers produce",
        "Customers of {} buy",
        "{} earns its money by selling",
        "Engineers at {} design",
        "Shops order from {} when they need",
        "The name {} stands for",
    ],
    "animal_class": [
        "The {} is a kind of",
        "The {} is a type of",
        "The {} belongs to the class",
        "In biology, the {} counts as a kind of",
        "Scientists group the {} under the heading",
        "The class of the {} is",
        "Children learn that the {} is a sort of",
        "In the zoo, a sign describes the {} as a kind of",
        "The animal named {} is a species of",
        "The right word for the class of the {} is",
    ],
    "symbol": [
        "The chemical symbol of {} is",
        "The symbol of {} is",
        "The element {} has the symbol",
        "In the periodic table, {} is written as",
        "Chemists write {} as",
        "The short sign for {} is",
        "In formulas, the element {} is written",
        "The letters that stand for {} are",
        "The atom of {} is marked with",
        "On the label of a bottle of {} stands",
    ],
    "element_class": [
        "The element {} is classified as a",
        "In chemistry, {} is a",
        "Chemists call {} a",
        "The element {} is a",
        "In the periodic table, {} is grouped as a",
        "The textbook describes {} as a",
        "Students learn that {} is a",
        "By its properties, {} is a",
        "The chemical class of {} is",
        "Asked about {}, a chemist calls it a",
    ],
    "state": [
        "At room temperature, {} is a",
        "The state of {} at room temperature is",
        "In a warm room, {} is a",
        "Under normal conditions, {} is a",
        "The normal state of {} is",
        "On a summer day, {} is a",
        "The element {} is found at room temperature as a",
        "If you keep {} in the laboratory, you keep a",
        "In its usual form, {} is a",
        "The laboratory stores {} as a",
    ],
    "river_continent": [
        "The {} is a river on the continent of",
        "The {} is a river in",
        "The river {} flows through",
        "The {} flows across the continent of",
        "The continent of the river {} is",
        "Boats on the {} travel through",
        "The water of the {} runs through the continent of",
        "The banks of the {} lie in",
        "Fishermen on the {} live in",
        "The {} is one of the great rivers of",
    ],
}

# Statements that put the object first. They are no prompts; they keep the text from being all one shape.
REVERSED: dict[str, list[str]] = {
    "capital": ["{o} is the capital of {s}.", "{o} is the city from which {s} is governed."],
    "language": ["{o} is spoken in {s}.", "If you know {o}, you can talk to people in {s}."],
    "currency": ["The {o} is used in {s}."],
    "continent": ["One of the countries in {o} is {s}."],
    "city_country": ["One of the cities in {o} is {s}."],
    "landmark_city": ["In {o} you can see the {s}."],
    "landmark_country": ["A famous sight in {o} is the {s}."],
    "profession": ["One {o} whom everybody knows is {s}."],
    "birth_country": ["One of the famous people from {o} is {s}."],
    "sport": ["A great name in {o} is {s}."],
    "headquarters": ["In {o} you find the offices of {s}."],
    "symbol": ["The symbol {o} means {s}."],
    "animal_class": ["One {o} is the {s}."],
    "river_continent": ["A river in {o} is the {s}."],
}

# ------------------------------------------------------------------------------------------------- tables to facts


def _rows(table: str):
    return [line.split("|") for line in table.strip().splitlines()]


def _groups(table: str):
    for line in table.strip().splitlines():
        head, members = line.split(": ")
        for member in members.split(", "):
            yield head, member


def all_facts() -> list[Fact]:
    facts = []

    def columns(table, *relations):
        for subject, *objects in _rows(table):
            facts.extend(Fact(r, subject, o) for r, o in zip(relations, objects, strict=True) if o != "-")

    def groups(table, relation):
        facts.extend(Fact(relation, member, head) for head, member in _groups(table))

    columns(COUNTRIES, "capital", "language", "currency", "continent")
    groups(CITIES, "city_country")
    columns(LANDMARKS, "landmark_city", "landmark_country")
    columns(PEOPLE, "profession", "mother_tongue", "birth_country")
    columns(ATHLETES, "sport", "birth_country")
    columns(COMPANIES, "headquarters", "company_country", "product")
    groups(ANIMALS, "animal_class")
    columns(ELEMENTS, "symbol", "element_class", "state")
    groups(RIVERS, "river_continent")
    assert len({(f.relation, f.subject) for f in facts}) == len(facts), "a subject has one object per relation"
    return facts


HELD_OUT_PER_FACT = 2


def held_out(fact: Fact) -> list[str]:
    """The phrasings that this fact never appears in during training; never the main one. Other facts of the relation
    do appear in them, so a right answer here shows that the model knows the fact and not only the sentence."""
    others = PHRASINGS[fact.relation][1:]
    return random.Random(f"held out: {fact.relation}: {fact.subject}").sample(others, HELD_OUT_PER_FACT)


def trained(fact: Fact) -> list[str]:
    out = held_out(fact)
    return [p for p in PHRASINGS[fact.relation] if p not in out]


if __name__ == "__main__":
    facts = all_facts()
    for relation in PHRASINGS:
        of = [f for f in facts if f.relation == relation]
        print(f"{relation:18} {len(of):4} facts  {len({f.object for f in of}):4} objects  {len(PHRASINGS[relation]):3} phrasings")
    print(len(facts), "facts,", len({f.subject for f in facts}), "subjects")
